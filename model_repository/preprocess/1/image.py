"""Encoded images to RGB pixels, with the arithmetic of PaddleX 3.7.2."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FORMATS = "JPEG, PNG, BMP, WebP, TIFF, PNM, Sun raster"
INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "BICUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
LONGEST_SIDE = 16384  # pixels, that a target may ask for
MOST_TARGET_PIXELS = 2**25  # that a target may make of an image: a tiny request must not take the memory of a huge one


class BadRequest(ValueError):
    """What the caller can mend; the message begins with the name of the field."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """Pixels, uint8 [H, W, 3] RGB, of an encoded image.

    As OpenCV's IMREAD_COLOR gives them: 8 bit, three channels, alpha dropped, turned as EXIF says.

    Raises BadRequest if the bytes are no image, not a whole one, or one of too many pixels.
    """
    if not data:
        raise BadRequest("image: is empty (0 bytes)")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE_PIXELS" in error.err:
            raise BadRequest(f"image: has more than {os.environ.get('OPENCV_IO_MAX_IMAGE_PIXELS', 2**30)} pixels") from error
        raise BadRequest(f"image: cannot be decoded: {error.err}") from error
    if bgr is None:
        raise BadRequest(f"image: cannot be decoded: the {len(data)} bytes are not a whole image of a known kind ({FORMATS})")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


@dataclass(frozen=True)
class Resize:
    """PaddleX's Resize transform, by its names and defaults.

    `target_size` is width and height in pixels; None leaves images alone.
    """

    target_size: tuple[int, int] | None = None
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`pixels`, uint8 [H, W, 3], resized on uint8.

        With `keep_ratio` the longer side of the target bounds the longer side of the image, whichever they are. Each side is then
        rounded up to a multiple of `size_divisor`.
        """
        if self.target_size is None:
            return pixels
        height, width = pixels.shape[:2]
        sides: tuple[int, ...] = self.target_size
        if self.keep_ratio:
            scale = min(max(sides) / max(height, width), min(sides) / min(height, width))
            sides = (round(width * scale), round(height * scale))
        divisor = self.size_divisor or 1
        columns, rows = (-(-max(side, 1) // divisor) * divisor for side in sides)
        if columns * rows > MOST_TARGET_PIXELS:
            raise BadRequest(f"target_size: makes {columns}x{rows} of a {width}x{height} image, over {MOST_TARGET_PIXELS} pixels")
        return cv2.resize(pixels, (columns, rows), interpolation=INTERPOLATIONS[self.interp])  # type: ignore[return-value]


def target(value: object) -> tuple[int, int]:
    """The request parameter `target_size`, an integer or a string "A,B", in pixels. Raises BadRequest."""
    text = str(value)
    sides = [int(side) for side in text.split(",")] if re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})?", text) else []
    if not sides or not all(1 <= side <= LONGEST_SIDE for side in sides):
        raise BadRequest(f'target_size: must be an integer from 1 to {LONGEST_SIDE} or two, as in 512 or "1024,512"')
    return sides[0], sides[-1]
