"""A Triton model that wraps PaddleX's whole pipeline, like PaddleX's kit for serving at scale: JSON in, JSON out.

Written from the kit's description; runs in PaddleX's environment.
"""

from __future__ import annotations

import base64
import io
import json
import os
import uuid
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as pb
from paddlex import create_pipeline


class TritonPythonModel:
    def initialize(self, _args: dict[str, str]) -> None:
        self.pipeline = create_pipeline(os.environ["BENCH_PIPELINE"], device="cpu")

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        asked = json.loads(pb.get_input_tensor_by_name(request, "input").as_numpy()[0, 0])
        content = np.frombuffer(base64.b64decode(asked["image"]), np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR)
        (found,) = self.pipeline.predict(image, target_size=asked.get("targetSize"))
        rows = found["pred"][0].tolist()
        result: dict[str, Any] = {"labelMap": [label for row in rows for label in row], "size": [len(rows), len(rows[0])]}
        if asked.get("visualize") is not False:
            result["image"] = _jpeg(found.img["res"])
        answer = {"logId": str(uuid.uuid4()), "errorCode": 0, "errorMsg": "Success", "result": result}
        output = np.array([[json.dumps(answer, separators=(",", ":"))]], np.object_)
        return pb.InferenceResponse([pb.Tensor("output", output)])


def _jpeg(picture: Any) -> str:
    with io.BytesIO() as file:
        picture.convert("RGB").save(file, format="JPEG")
        return base64.b64encode(file.getvalue()).decode()
