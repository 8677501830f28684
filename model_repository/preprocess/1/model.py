"""Encoded image -> pixels. One image a request; requests of any sizes share a batch."""

from __future__ import annotations

import json

import cv2
import numpy as np
import triton_python_backend_utils as pb
from image import BadRequest, decode, fit, target


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # the cores belong to the network

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [answer(request) for request in requests]


def answer(request: pb.InferenceRequest) -> pb.InferenceResponse:
    try:
        return pb.InferenceResponse(tensors(request))
    except BadRequest as error:
        return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
    except (cv2.error, MemoryError) as error:  # the other requests of the batch get their answers
        return pb.InferenceResponse(error=pb.TritonError(f"preprocess: {error}"))


def tensors(request: pb.InferenceRequest) -> list[pb.Tensor]:
    encoded = pb.get_input_tensor_by_name(request, "image").as_numpy().reshape(-1)
    images = [decode(data) for data in encoded]
    sizes = np.array([image.shape[:2] for image in images], np.int32)
    if (sizes != sizes[0]).any():
        raise BadRequest("image: the images of one request must be of one size; send one image a request")
    wanted = json.loads(request.parameters()).get("target_size")
    if wanted is not None:
        images = [fit(image, target(wanted)) for image in images]
    pixels = images[0][np.newaxis] if len(images) == 1 else np.stack(images)
    return [pb.Tensor("pixels", pixels), pb.Tensor("source_size", sizes)]
