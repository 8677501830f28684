"""Class ids -> label map of the source image's size, by nearest neighbour as PaddleX 3.7.2 does it."""

from __future__ import annotations

import cv2
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # the cores belong to the network

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [answer(request) for request in requests]


def answer(request: pb.InferenceRequest) -> pb.InferenceResponse:
    ids = pb.get_input_tensor_by_name(request, "ids").as_numpy()
    height, width = pb.get_input_tensor_by_name(request, "source_size").as_numpy()[0].tolist()
    if ids.shape[1:] != (height, width):
        try:
            ids = np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_NEAREST) for each in ids])
        except cv2.error as error:  # the other requests of the batch get their answers
            return pb.InferenceResponse(error=pb.TritonError(f"postprocess: {error}"))
    return pb.InferenceResponse([pb.Tensor("label_map", ids)])
