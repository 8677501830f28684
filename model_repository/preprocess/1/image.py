"""Decodes images to RGB pixels, exactly as PaddleX 3.7.2 does."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np
from image_header import Header, Undecodable, read
from numpy.typing import NDArray
from prepare import BadRequest

MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", 2**30))  # per image; OpenCV reads the same variable

WEBP = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def look(data: bytes) -> Header:
    """The header of an encoded image. Raises BadRequest if it must not be decoded."""
    try:
        header = read(data)
    except Undecodable as error:
        raise BadRequest(f"image: {error}") from error
    if header.width * header.height > MOST_PIXELS:
        raise BadRequest(f"image: has more than {MOST_PIXELS} pixels")
    if header.largest:
        told = f"a PNM whose largest value is {header.largest} would be read too dark; scale it to 255 or 65535"
        raise BadRequest(f"image: cannot be decoded: {told}")
    return header


def decode(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Pixels, uint8 [H, W, 3] BGR, of an encoded image with this header.

    Equal to OpenCV's IMREAD_COLOR: 8 bits, three channels, alpha dropped, rotated according to EXIF. OpenCV before 4.12 leaves
    WebP as stored (and so does PaddleX); here it is rotated like the others. In a TIFF of RGB with unassociated alpha
    (ExtraSamples 2), libtiff multiplies the colours by alpha.

    Raises BadRequest if the bytes are not a whole image.
    """
    if header.animation:
        data = still(data, header.animation)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), WEBP if header.kind == "WebP" else cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadRequest(f"image: cannot be decoded: {error.err}") from error
    if bgr is None:
        told = f"the {len(data)} bytes are not a whole image, or a variant of {header.kind} that OpenCV does not read"
        raise BadRequest(f"image: cannot be decoded: {told}")
    if sorted(bgr.shape[:2]) != sorted((header.height, header.width)):
        raise BadRequest(f"image: cannot be decoded: its {header.kind} header and its pixels differ in size")
    return header.turned(bgr)


def rgb(bgr: NDArray[Any]) -> NDArray[Any]:
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def still(png: bytes, animation: int) -> bytes:
    """Turn an animated PNG into its first picture, as decoders without animation support see it.

    The OpenCV that PaddleX requires is such a decoder. OpenCV 4.11 supports animations and crashes on damaged pixels: by the
    time libpng raises the error, its handler is gone. So rename the chunk that animates: decoders skip unknown chunks.
    """
    return png[:animation] + b"acTl" + png[animation + 4 :]
