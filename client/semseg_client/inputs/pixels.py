"""The pixels of an encoded image, as the server decodes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .image_header import Undecodable, read

MOST_PIXELS = 178_956_970  # the server's limit, as in PaddleX


def decoded(content: bytes, *, all_bits: bool = False) -> npt.NDArray[Any] | None:
    """[H, W, 3] BGR, turned by EXIF's orientation: uint8, or with `all_bits` uint16 if the samples have two bytes.

    None if `content` cannot be decoded, or has more pixels than the server accepts.
    """
    import cv2

    try:
        header = read(content)
    except Undecodable:
        return None
    if header.width * header.height > MOST_PIXELS:
        return None
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_ANYDEPTH if all_bits else 0)
    flags |= cv2.IMREAD_IGNORE_ORIENTATION if header.kind == "WebP" else 0  # as in preprocess
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    return None if pixels is None else header.turned(pixels)


def same(deep: npt.NDArray[Any], eight: npt.NDArray[Any]) -> bool:
    """Whether `deep`, grey or BGR(A), holds two bytes per sample of the picture that `eight`, BGR, holds in one.

    Not if OpenCV reads the samples with two bytes as they are stored, but inverts those with one (a TIFF with white as 0), or
    if it reads only one byte (a TIFF of grey and alpha).
    """
    if deep.dtype != np.uint16:
        return False
    upper = (deep[..., :3] if deep.ndim == 3 else deep[..., np.newaxis]) >> 8
    return int(np.abs(upper.astype(np.int16) - eight).max()) <= 1  # libtiff rounds
