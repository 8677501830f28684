"""Encoded images to RGB pixels, with the arithmetic of PaddleX 3.7.2."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FORMATS = "JPEG, PNG, BMP, WebP, TIFF, PNM, Sun raster"
SIZE_DIVISOR = 32
LONGEST_SIDE = 16384  # pixels, that a target may ask for


class BadRequest(ValueError):
    """What the caller can mend; the message begins with the name of the field."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """Pixels, uint8 [H, W, 3] RGB, of an encoded image.

    As OpenCV's IMREAD_COLOR gives them: 8 bit, three channels, alpha dropped, turned as EXIF says.
    Unlike OpenCV, which fills up what is missing, a file that ends too early is refused.

    Raises BadRequest if the bytes are no image or not a whole one.
    """
    if not data:
        raise BadRequest("image: is empty (0 bytes)")
    if _ends_early(data):
        raise BadRequest(f"image: is truncated: the file ends before its image does ({len(data)} bytes)")
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadRequest(f"image: cannot be decoded: {error.err}") from error
    if bgr is None:
        raise BadRequest(f"image: cannot be decoded: {len(data)} bytes that are no whole image of a known kind ({FORMATS})")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def _ends_early(data: bytes) -> bool:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg_ends_early(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_ends_early(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def _jpeg_ends_early(data: bytes) -> bool:
    """Whether no end-of-image marker follows the first scan (ITU-T T.81, B.1).

    The segments before the scan are skipped by their lengths, because a thumbnail inside them has markers of its own. Inside
    a scan 0xFF is always stuffed, so that the two bytes cannot stand there by chance.
    """
    start_of_scan, end_of_image = 0xDA, b"\xff\xd9"
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return False  # not a well-formed segment: the decoder is the judge
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == start_of_scan:
            return data.find(end_of_image, at) < 0
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True


def _png_ends_early(data: bytes) -> bool:
    """Whether the chunks run out before IEND (PNG specification, section 5)."""
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if kind == b"IEND":
            return False
    return True


def target(value: object) -> tuple[int, int]:
    """The request parameter `target_size`, an integer or a string "A,B", in pixels. Raises BadRequest."""
    try:
        sides = [int(part) for part in str(value).split(",")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(1 <= side <= LONGEST_SIDE for side in sides):
        raise BadRequest(f'target_size: must be an integer from 1 to {LONGEST_SIDE} or two, as in 512 or "1024,512"')
    return sides[0], sides[-1]


def fit(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`pixels` scaled, proportions kept, to fit the target, each side then rounded up to a multiple of 32.

    The order of the two target sides does not matter: the longer one bounds the image's longer side. Bilinear on uint8.
    """
    height, width = pixels.shape[:2]
    scale = min(max(size) / max(height, width), min(size) / min(height, width))
    columns, rows = (_round_up(round(side * scale)) for side in (width, height))
    return cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _round_up(side: int) -> int:
    return -(-max(side, 1) // SIZE_DIVISOR) * SIZE_DIVISOR
