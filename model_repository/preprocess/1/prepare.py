"""Prepares a decoded image for the network, computed exactly as in PaddleX and PaddleSeg."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transforms import Preparation, Size

INTERPOLATIONS = {
    "NEAREST": cv2.INTER_NEAREST,
    "LINEAR": cv2.INTER_LINEAR,
    "BICUBIC": cv2.INTER_CUBIC,
    "AREA": cv2.INTER_AREA,
    "LANCZOS4": cv2.INTER_LANCZOS4,
}
LONGEST_SIDE = 16384  # pixels per side of a target


class BadRequest(ValueError):
    """An error that the caller can fix; the message starts with the field's name."""


def prepared(preparation: Preparation, pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels, uint8 [H, W, 3] RGB, after the preparation: uint8, or float32 if it computes in that. Raises transforms.Unfit.

    In float32, BGR would give other pixels in the last bits, depending on where OpenCV's vector instructions end.
    """
    height, width = pixels.shape[:2]
    for step, (columns, rows) in zip(preparation.all_steps, preparation.sizes(width, height), strict=True):
        below, right = rows - pixels.shape[0], columns - pixels.shape[1]
        if hasattr(step, "interp"):
            if below or right:
                pixels = cv2.resize(pixels, (columns, rows), interpolation=INTERPOLATIONS[step.interp])
        elif hasattr(step, "colour"):
            pixels = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=step.colour)
        else:
            pixels = pixels.astype(np.float32)
    return pixels


def target(value: object) -> Size:
    """The request parameter `target_size`, an integer or a string "A,B", in pixels. Raises BadRequest."""
    text = str(value)
    sides = [int(side) for side in text.split(",")] if re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})?", text) else []
    if not sides or not all(1 <= side <= LONGEST_SIDE for side in sides):
        raise BadRequest(f'target_size: must be one or two integers from 1 to {LONGEST_SIDE}, such as 512 or "1024,512"')
    return sides[0], sides[-1]
