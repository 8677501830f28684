"""Class ids -> label map of the source image's size, by nearest neighbour as in PaddleX 3.7.2."""

from __future__ import annotations

import os

import cv2
import numpy as np
import triton_python_backend_utils as pb
from numpy.typing import NDArray

MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970"))  # per request; PaddleX's limit


class BadRequest(ValueError):
    """An error that the caller can fix; the message starts with the field's name."""


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # leave the cores to the network

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [answer(request) for request in requests]


def answer(request: pb.InferenceRequest) -> pb.InferenceResponse:
    try:
        ids, size = sized(request)
        if ids.shape[:0:-1] != size:
            ids = np.stack([cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in ids])
    except BadRequest as error:
        return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
    except (cv2.error, MemoryError) as error:  # the batch's other requests still get their answers
        return pb.InferenceResponse(error=pb.TritonError(f"postprocess: {error}"))
    return pb.InferenceResponse([pb.Tensor("label_map", ids)])


def sized(request: pb.InferenceRequest) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Class ids, uint8 [N, H, W], and the width and height to scale them to. Raises BadRequest."""
    ids = pb.get_input_tensor_by_name(request, "ids").as_numpy()
    sizes = pb.get_input_tensor_by_name(request, "source_size").as_numpy()
    if not ids.size or ids.ndim != 3:
        raise BadRequest(f"ids: must be [N, H, W] with at least one pixel, not {list(ids.shape)}")
    if sizes.shape != (len(ids), 2) or (sizes != sizes[0]).any():
        raise BadRequest("source_size: must be the same height and width for all ids of the request")
    height, width = sizes[0].tolist()
    if min(height, width) < 1 or len(ids) * height * width > MOST_PIXELS:
        raise BadRequest(f"source_size: {len(ids)} maps of {width}x{height} must have from 1 to {MOST_PIXELS} pixels")
    return ids, (width, height)
