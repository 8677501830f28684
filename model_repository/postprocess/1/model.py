"""Class ids -> label map of the source image's size, by nearest neighbour as in PaddleX 3.7.2."""

from __future__ import annotations

import cv2
import numpy as np
import triton_python_backend_utils as pb
from way_back import BadRequest, led_back, sized


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # leave the cores to the network

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [answer(request) for request in requests]


def answer(request: pb.InferenceRequest) -> pb.InferenceResponse:
    try:
        ids, back = sized(request)
        if back != [ids.shape[1:]]:
            ids = np.stack([led_back(each, back) for each in ids])
    except BadRequest as error:
        return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
    except (cv2.error, MemoryError) as error:  # the batch's other requests still get their answers
        return pb.InferenceResponse(error=pb.TritonError(f"postprocess: {error}"))
    return pb.InferenceResponse([pb.Tensor("label_map", ids)])
