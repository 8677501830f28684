"""The size at which the network sees an image, computed exactly as in PaddleX 3.7.2."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "BICUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
LONGEST_SIDE = 16384  # pixels per side of a target
MOST_TARGET_PIXELS = 2**25  # per resized image: a tiny request must not use the memory of a huge one


class BadRequest(ValueError):
    """An error that the caller can fix; the message starts with the field's name."""


@dataclass(frozen=True)
class Resize:
    """PaddleX's Resize transform, with its names and defaults.

    `target_size` is width and height in pixels; None leaves images unchanged.
    """

    target_size: tuple[int, int] | None = None
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after the resize.

        With `keep_ratio` the longer side of the target bounds the longer side of the image, in either orientation. Each side is
        then rounded up to a multiple of `size_divisor`.

        Raises BadRequest if the result exceeds MOST_TARGET_PIXELS.
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
            raise BadRequest(
                f"target_size: scales the {width}x{height} image to {columns}x{rows}, over {MOST_TARGET_PIXELS} pixels"
            )
        return columns, rows

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`pixels`, uint8 [H, W, 3], resized as uint8. Raises BadRequest like `size`."""
        if self.target_size is None:
            return pixels
        height, width = pixels.shape[:2]
        return cv2.resize(pixels, self.size(width, height), interpolation=INTERPOLATIONS[self.interp])  # type: ignore[return-value]


def target(value: object) -> tuple[int, int]:
    """The request parameter `target_size`, an integer or a string "A,B", in pixels. Raises BadRequest."""
    text = str(value)
    sides = [int(side) for side in text.split(",")] if re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})?", text) else []
    if not sides or not all(1 <= side <= LONGEST_SIDE for side in sides):
        raise BadRequest(f'target_size: must be one or two integers from 1 to {LONGEST_SIDE}, such as 512 or "1024,512"')
    return sides[0], sides[-1]
