"""Encoded image -> pixels."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import nullcontext
from itertools import cycle
from pathlib import Path
from random import sample
from typing import Any

# PaddleX's limit. OpenCV reads it on import, and then refuses larger images on their headers alone.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970")
import cv2
import numpy as np
import triton_python_backend_utils as pb
from crashes import Convicted, Crashes
from image import MOST_PIXELS, decode, look, rgb
from numpy.typing import NDArray
from prepare import BadRequest, prepared, target
from pressure import Pressure
from transforms import Preparation, Size, Unfit

MEGAPIXEL = 2**20
LIMIT = re.compile(r"pixels_(\d+)mp")  # one of this model's outputs
MAX_BATCH_SIZE = 8  # of every model
ONE_SIZE = "image: all images of a request must have the same size; send one per request"
# The limit of a whole batch on a CPU. There, batching gains a quarter for images of 128x256 and nothing from 512x1024 on, where
# it only delays answers and multiplies the memory. On a GPU only the model's own limit applies.
CPU_BATCH = MEGAPIXEL  # pixels
# Files of the drivers of NVIDIA (also under WSL), AMD and Ascend.
GPUS = ("/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1", "/dev/kfd", "/dev/davinci_manager")


class Busy(Exception):
    """Too many decoded images are already waiting for the networks."""


class NoRoom(Exception):
    """The image does not fit into shared memory."""


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # leave the cores to the network
        parameters = told(json.loads(args["model_config"]))
        self.preparation = Preparation.read(parameters["preparation"]) if "preparation" in parameters else Preparation()
        self.batch = largest_batch(parameters)
        folder = os.environ.get("SEMSEG_CRASH_FOLDER")
        self.refuses = Pressure(Path(folder)).refuses if folder else lambda _: False
        self.noted = Crashes(Path(folder)).noted if folder else lambda _: nullcontext()
        # From `semseg serve`. A larger image would fill shared memory, where each process keeps its share until it ends.
        self.largest = int(os.environ.get("SEMSEG_LARGEST_IMAGE", MOST_PIXELS))
        self.lanes = cycle(sample(range(2, 1024), 1022))  # shuffled: each instance has its own order

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [self.answer(request) for request in requests]

    def answer(self, request: pb.InferenceRequest) -> pb.InferenceResponse:
        parameters = json.loads(request.parameters())
        try:
            return pb.InferenceResponse(self.tensors(request, parameters))
        except Unfit as error:
            field = "target_size" if "target_size" in parameters else "image"
            return pb.InferenceResponse(error=pb.TritonError(f"{field}: {error}", pb.TritonError.INVALID_ARG))
        except (BadRequest, Convicted) as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
        except (Busy, NoRoom) as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.UNAVAILABLE))
        except (cv2.error, MemoryError) as error:  # the batch's other requests still get their answers
            return pb.InferenceResponse(error=pb.TritonError(f"preprocess: {error}"))

    def tensors(self, request: pb.InferenceRequest, parameters: dict[str, Any]) -> list[pb.Tensor]:
        encoded = pb.get_input_tensor_by_name(request, "image").as_numpy().reshape(-1)
        if self.refuses(parameters.get("admitted")):
            raise Busy("too many images are waiting; try again later")
        wanted = parameters.get("target_size")
        outputs = [found for found in map(LIMIT.fullmatch, request.requested_output_names()) if found]
        if not outputs:
            raise BadRequest("pixels: request one of the outputs pixels_<N>mp")
        limit = min(int(output[1]) for output in outputs) * MEGAPIXEL
        headers = [look(data) for data in encoded]
        width, height = headers[0].width, headers[0].height
        if any({each.width, each.height} != {width, height} for each in headers):
            raise BadRequest(ONE_SIZE)
        if len(headers) * width * height > MOST_PIXELS:
            raise BadRequest(
                f"image: {len(headers)} images of {width}x{height} have more than {MOST_PIXELS} pixels; send one per request"
            )
        preparation = self.preparation if wanted is None else self.preparation.to(target(wanted))
        self.check_either(preparation, len(headers), (width, height), limit, wanted)
        images: list[NDArray[Any]] = []
        source = 0, 0
        for data, header in zip(encoded, headers, strict=True):  # one at a time, each prepared right after decoding
            with self.noted(data):
                image = decode(data, header)
            size = image.shape[1], image.shape[0]  # EXIF may have turned it
            if not images:
                source = size
                self.check(preparation, len(headers), source, limit, wanted)
            elif size != source:
                raise BadRequest(ONE_SIZE)
            images.append(prepared(preparation, rgb(image)))
        pixels = images[0][np.newaxis] if len(images) == 1 else np.stack(images)
        lane = np.zeros((len(images), self.lane(images[0], limit)), np.int8)
        back = np.array([preparation.way_back(*source)] * len(images), np.int32)
        others = [pb.Tensor("source_size", back), pb.Tensor("lane", lane)]
        return [*(pb.Tensor(output[0], pixels) for output in outputs), *others]

    def check(self, preparation: Preparation, images: int, source: Size, limit: int, wanted: object) -> None:
        """Raises BadRequest or Unfit if the network cannot take the images, NoRoom if they do not fit into shared memory."""
        columns, rows = preparation.size(*source)
        check_size(images, (columns, rows), limit, source, wanted)
        made = images * columns * rows * (4 if preparation.floats else 1)
        self.check_room(images * source[0] * source[1], made)

    def check_either(self, preparation: Preparation, images: int, stored: Size, limit: int, wanted: object) -> None:
        """Like `check`, but before decoding, when it is not known whether EXIF turns the images: one of the two must do."""
        try:
            self.check(preparation, images, stored, limit, wanted)
        except (BadRequest, Unfit, NoRoom) as refused:
            try:
                self.check(preparation, images, (stored[1], stored[0]), limit, wanted)
            except (BadRequest, Unfit, NoRoom):
                raise refused from None

    def check_room(self, pixels: int, prepared: int) -> None:
        """Raises NoRoom if the image does not fit into shared memory: the label map has `pixels` there, all else `prepared`."""
        if (pixels + 9 * prepared) / 10 > self.largest:
            raise NoRoom(
                f"the image is too large for the server's shared memory (/dev/shm), which has room for {self.largest} pixels;"
                " send a smaller one, or pass target_size"
            )

    def lane(self, image: NDArray[Any], limit: int) -> int:
        """1 for images to batch: a whole batch of them fits the limit of one image, and batching pays. Other images get a lane
        that is not used again soon."""
        rows, columns = image.shape[:2]
        return 1 if rows * columns * MAX_BATCH_SIZE <= min(limit, self.batch) else next(self.lanes)


def check_size(images: int, size: tuple[int, int], limit: int, source: tuple[int, int], wanted: object) -> None:
    """Raises BadRequest if the network would get more than `limit` pixels at once. Sizes are width and height."""
    (columns, rows), (width, height) = size, source
    if images * rows * columns <= limit:
        return
    most = f"this model accepts at most {limit // MEGAPIXEL} megapixels ({limit} pixels)"
    if images > 1:
        raise BadRequest(f"image: {images} images of {columns}x{rows} at once are too many: {most}; send one per request")
    if wanted is None:
        what = f"{width}x{height}" if size == source else f"{width}x{height}, prepared as {columns}x{rows},"
        raise BadRequest(f"image: {what} is too large: {most}; pass target_size to have it scaled down")
    raise BadRequest(f"target_size: scales the {width}x{height} image to {columns}x{rows}, but {most}; pass a smaller one")


def told(config: dict[str, Any]) -> dict[str, str]:
    """The parameters of the model's configuration."""
    return {key: value["string_value"] for key, value in config.get("parameters", {}).items()}


def largest_batch(parameters: dict[str, str]) -> int:
    """The largest batch, in pixels: `batch_megapixels`, or else CPU_BATCH, with a GPU no limit. Raises TritonModelException."""
    given = parameters.get("batch_megapixels")
    if given is not None:
        if not re.fullmatch(r"[0-9]{1,6}", given):
            raise pb.TritonModelException(f"preprocess: parameter batch_megapixels must be a whole number, not {given!r}")
        return int(given) * MEGAPIXEL
    return sys.maxsize if any(Path(device).exists() for device in GPUS) else CPU_BATCH
