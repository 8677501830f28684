"""The size of an image, before it is decoded."""

from __future__ import annotations

from ...errors import InvalidImage
from ...inputs.image_header import Undecodable, read


def checked_pixels(image: bytes, limit: int) -> int:
    """The image's number of pixels, from its header.

    Raises:
        InvalidImage: the image has more than `limit` pixels, or the server could not read it.
    """
    try:
        header = read(image)
    except Undecodable as error:
        raise InvalidImage(f"image {error}") from None
    pixels = header.width * header.height
    if pixels > limit:
        raise InvalidImage(f"image has more than {limit} pixels: {header.width}x{header.height}")
    return pixels
