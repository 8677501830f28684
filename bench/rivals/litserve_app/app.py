"""The same network in LitServe, written the usual way: `python app.py MODEL.onnx PORT`. Runs in LitServe's environment."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import litserve as ls
import numpy as np
import onnxruntime as ort
import orjson
import pybase64
from fastapi import Response

MAX_BATCH = 8
BATCH_TIMEOUT = 0.002  # s


class Segmentation(ls.LitAPI):  # type: ignore[misc]
    """Base64 in; class ids as JSON and a coloured JPEG out."""

    def __init__(self, network: str) -> None:
        super().__init__(max_batch_size=MAX_BATCH, batch_timeout=BATCH_TIMEOUT, api_path="/semantic-segmentation")
        self.network = network

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.session = ort.InferenceSession(self.network, providers=["CPUExecutionProvider"])
        self.palette = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe would build the endpoint from the annotation
        content = np.frombuffer(pybase64.b64decode(request["image"]), np.uint8)
        pixels = cv2.cvtColor(cv2.imdecode(content, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return pixels, request.get("visualize", True)

    def batch(self, inputs: list[Any]) -> list[Any]:
        return inputs  # sizes may differ: `predict` stacks images of equal size

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def predict(self, inputs: list[tuple[Any, bool]]) -> list[tuple[Any, bool]]:
        by_shape: dict[Any, list[int]] = {}
        for index, (pixels, _) in enumerate(inputs):
            by_shape.setdefault(pixels.shape, []).append(index)
        ids: dict[int, Any] = {}
        for indices in by_shape.values():
            batch = np.stack([inputs[index][0] for index in indices])
            feeds = {node.name: np.zeros((len(batch), 1), np.int8) for node in self.session.get_inputs()}
            feeds["pixels"] = batch
            ids.update(zip(indices, self.session.run(None, feeds)[0], strict=True))
        return [(ids[index], inputs[index][1]) for index in range(len(inputs))]

    def encode_response(self, output: tuple[Any, bool]) -> Response:
        ids, picture = output
        result: dict[str, Any] = {"labelMap": ids.ravel(), "size": ids.shape}
        if picture:
            jpeg = cv2.imencode(".jpg", self.palette[ids], [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
            result["image"] = pybase64.b64encode_as_string(jpeg.tobytes())
        body = orjson.dumps({"errorCode": 0, "result": result}, option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(body, media_type="application/json")


if __name__ == "__main__":
    network, port = sys.argv[1:]
    server = ls.LitServer(Segmentation(network), accelerator="cpu", timeout=600)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning")
