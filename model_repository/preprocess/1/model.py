"""Encoded image -> pixels. One image a request; requests of any sizes share a batch."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

# PaddleX's limit. OpenCV reads it when it is first imported, and then refuses a larger image by its header alone.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970")
import cv2
import numpy as np
import triton_python_backend_utils as pb
from image import BadRequest, Resize, decode, target


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # the cores belong to the network
        self.resize = configured(json.loads(args["model_config"]))

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [self.answer(request) for request in requests]

    def answer(self, request: pb.InferenceRequest) -> pb.InferenceResponse:
        try:
            return pb.InferenceResponse(self.tensors(request))
        except BadRequest as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
        except (cv2.error, MemoryError) as error:  # the other requests of the batch get their answers
            return pb.InferenceResponse(error=pb.TritonError(f"preprocess: {error}"))

    def tensors(self, request: pb.InferenceRequest) -> list[pb.Tensor]:
        encoded = pb.get_input_tensor_by_name(request, "image").as_numpy().reshape(-1)
        wanted = json.loads(request.parameters()).get("target_size")
        resize = self.resize if wanted is None else replace(self.resize, target_size=target(wanted))
        images = [decode(data) for data in encoded]
        sizes = np.array([image.shape[:2] for image in images], np.int32)
        if (sizes != sizes[0]).any():
            raise BadRequest("image: the images of one request must be of one size; send one image a request")
        images = [resize(image) for image in images]
        pixels = images[0][np.newaxis] if len(images) == 1 else np.stack(images)
        return [pb.Tensor("pixels", pixels), pb.Tensor("source_size", sizes)]


def configured(config: dict[str, Any]) -> Resize:
    """The model's own Resize, JSON under `resize` in the configuration's parameters, or none."""
    parameters = config.get("parameters", {})
    if "resize" not in parameters:
        return Resize()
    given = json.loads(parameters["resize"]["string_value"])
    return Resize(**{**given, "target_size": tuple(given["target_size"])})
