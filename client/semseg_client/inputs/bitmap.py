"""Writes pixels as a BMP file: lossless, readable by every server, as fast as a copy, and without OpenCV."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

_HEADER = struct.Struct("<2sIIIIiiHHIIiiII")  # BITMAPFILEHEADER and BITMAPINFOHEADER


def bmp(pixels: npt.NDArray[Any]) -> bytes:
    """A BMP file of uint8 pixels: grey [H, W] or [H, W, 1], BGR [H, W, 3], or BGRA [H, W, 4]; alpha is dropped.

    This matches OpenCV's IMREAD_COLOR, which drops alpha and turns grey into three equal channels.

    Raises ValueError for other types than uint8: their numbers would wrap around.
    """
    if pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8, not {pixels.dtype}")
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    height, width, channels = pixels.shape
    colours = np.repeat(pixels, 3, axis=2) if channels == 1 else pixels[..., :3]
    rows = np.zeros((height, -(-width * 3 // 4) * 4), np.uint8)  # each row is padded to a multiple of 4 bytes
    rows[:, : width * 3] = colours.reshape(height, width * 3)
    size = _HEADER.size + rows.nbytes
    # A negative height means that the first row is the top one.
    header = _HEADER.pack(b"BM", size, 0, _HEADER.size, 40, width, -height, 1, 24, 0, rows.nbytes, 0, 0, 0, 0)
    return b"".join((header, rows.data))
