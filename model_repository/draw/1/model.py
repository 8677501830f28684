"""Class ids -> JPEG of the label map in PaddleX's colours, at the source image's size."""

from __future__ import annotations

import cv2
import numpy as np
import triton_python_backend_utils as pb
from numpy.typing import NDArray
from way_back import BadRequest, led_back, sized

JPEG_QUALITY = 75  # what PaddleX sends: Pillow's default, 4:2:0
LONGEST_SIDE = 65500  # pixels; the limit of a JPEG


def palette() -> NDArray[np.uint8]:
    """Colours, uint8 [256, 3] RGB: PASCAL VOC's bit-interleaved palette, shifted by one so that class 0 is not black."""
    label = np.arange(1, 257)
    colours = np.zeros((256, 3), np.int64)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (label >> (3 * bit + channel) & 1) << (7 - bit)
    return colours.astype(np.uint8)


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        cv2.setNumThreads(1)  # leave the cores to the network
        self.palette_bgr = np.ascontiguousarray(palette()[:, np.newaxis, ::-1])

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse]:
        return [self.answer(request) for request in requests]

    def answer(self, request: pb.InferenceRequest) -> pb.InferenceResponse:
        try:
            ids, back = sized(request)
            longest = max(map(abs, back[-1]))
            if longest > LONGEST_SIDE:
                raise BadRequest(
                    f"image: a side of {longest} pixels is too long for a JPEG (limit {LONGEST_SIDE}); request no picture"
                )
            pictures = [self.jpeg(led_back(each, back)) for each in ids]
        except BadRequest as error:
            return pb.InferenceResponse(error=pb.TritonError(str(error), pb.TritonError.INVALID_ARG))
        except (cv2.error, MemoryError) as error:  # the batch's other requests still get their answers
            return pb.InferenceResponse(error=pb.TritonError(f"draw: {error}"))
        return pb.InferenceResponse([pb.Tensor("picture", np.array(pictures, np.object_).reshape(-1, 1))])

    def jpeg(self, ids: NDArray[np.uint8]) -> bytes:
        picture = cv2.applyColorMap(ids, self.palette_bgr)
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return encoded.tobytes()
