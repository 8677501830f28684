"""How large an image is, before anybody decodes it."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from ...errors import InvalidImage

Image.MAX_IMAGE_PIXELS = None  # Pillow would warn by a number of its own


def check_pixels(image: bytes, limit: int) -> None:
    """Raise InvalidImage if the image has more than `limit` pixels, as far as its header tells.

    What Pillow cannot read, the server may: it has a limit too.
    """
    try:
        with Image.open(io.BytesIO(image)) as opened:
            width, height = opened.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return
    if width * height > limit:
        raise InvalidImage(f"image has more than {limit} pixels: {width}x{height}")
