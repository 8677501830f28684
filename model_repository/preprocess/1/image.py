"""Encoded images to RGB pixels, with the arithmetic of PaddleX 3.7.2."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import cv2
import numpy as np
from header import FORMATS, Header, Unreadable, read
from numpy.typing import NDArray

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "BICUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", 2**30))  # of an image; OpenCV reads the variable likewise
LONGEST_SIDE = 16384  # pixels, that a target may ask for
MOST_TARGET_PIXELS = 2**25  # that a target may make of an image: a tiny request must not take the memory of a huge one


class BadRequest(ValueError):
    """What the caller can mend; the message begins with the name of the field."""


def look(data: bytes) -> Header:
    """The header of an encoded image that may be decoded. Raises BadRequest."""
    try:
        header = read(data)
    except Unreadable as error:
        raise BadRequest(f"image: {error}") from error
    if header.width * header.height > MOST_PIXELS:
        raise BadRequest(f"image: has more than {MOST_PIXELS} pixels")
    return header


def decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Pixels, uint8 [H, W, 3] BGR, of an encoded image that has this header.

    As OpenCV's IMREAD_COLOR gives them: 8 bit, three channels, alpha dropped, turned as EXIF says.

    Raises BadRequest if the bytes are not a whole image.
    """
    if header.animation:
        data = still(data, header.animation)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadRequest(f"image: cannot be decoded: {error.err}") from error
    if bgr is None:
        raise BadRequest(f"image: cannot be decoded: the {len(data)} bytes are not a whole image of a known kind ({FORMATS})")
    if sorted(bgr.shape[:2]) != sorted((header.height, header.width)):
        raise BadRequest(f"image: cannot be decoded: its {header.kind} header and its pixels are of two sizes")
    return bgr  # type: ignore[return-value]


def rgb(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels as the network takes them. After a resize, which gives the same either way, there is less to copy."""
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def still(png: bytes, animation: int) -> bytes:
    """An animated PNG as those see it who know of no animations: the picture that comes first.

    So does the OpenCV that PaddleX asks for. OpenCV 4.11 knows them, and dies of one whose pixels are damaged: what libpng raises
    finds its handler gone. The chunk gets a name that nobody knows, and is passed over.
    """
    return png[:animation] + b"acTl" + png[animation + 4 :]


@dataclass(frozen=True)
class Resize:
    """PaddleX's Resize transform, by its names and defaults.

    `target_size` is width and height in pixels; None leaves images alone.
    """

    target_size: tuple[int, int] | None = None
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that an image of that size is given.

        With `keep_ratio` the longer side of the target bounds the longer side of the image, whichever they are. Each side is then
        rounded up to a multiple of `size_divisor`.

        Raises BadRequest if they make more than MOST_TARGET_PIXELS.
        """
        if self.target_size is None:
            return width, height
        sides: tuple[int, ...] = self.target_size
        if self.keep_ratio:
            scale = min(max(sides) / max(height, width), min(sides) / min(height, width))
            sides = (round(width * scale), round(height * scale))
        divisor = self.size_divisor or 1
        columns, rows = (-(-max(side, 1) // divisor) * divisor for side in sides)
        if columns * rows > MOST_TARGET_PIXELS:
            raise BadRequest(f"target_size: makes {columns}x{rows} of a {width}x{height} image, over {MOST_TARGET_PIXELS} pixels")
        return columns, rows

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`pixels`, uint8 [H, W, 3], resized on uint8. Raises BadRequest as `size`."""
        if self.target_size is None:
            return pixels
        height, width = pixels.shape[:2]
        return cv2.resize(pixels, self.size(width, height), interpolation=INTERPOLATIONS[self.interp])  # type: ignore[return-value]


def target(value: object) -> tuple[int, int]:
    """The request parameter `target_size`, an integer or a string "A,B", in pixels. Raises BadRequest."""
    text = str(value)
    sides = [int(side) for side in text.split(",")] if re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})?", text) else []
    if not sides or not all(1 <= side <= LONGEST_SIDE for side in sides):
        raise BadRequest(f'target_size: must be an integer from 1 to {LONGEST_SIDE} or two, as in 512 or "1024,512"')
    return sides[0], sides[-1]
