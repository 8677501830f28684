"""How large an image is, before anybody decodes it."""

from __future__ import annotations

import io
import logging
import warnings

from PIL import Image, UnidentifiedImageError

from ...errors import InvalidImage

Image.MAX_IMAGE_PIXELS = None  # Pillow would warn by a number of its own
# Of what is odd in a caller's file, Pillow tells in the log, in words that the file decides.
logging.getLogger("PIL").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", module="PIL")

# Those that the server reads, too: others' readers may fail of a damaged file with errors of any kind.
_FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def checked_pixels(image: bytes, limit: int) -> int | None:
    """The image's number of pixels, as far as its header tells.

    What Pillow cannot read, the server may: it has a limit too. Of a large file without a picture, it takes seconds.

    Raises:
        InvalidImage: they are more than `limit`.
    """
    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as opened:
            width, height = opened.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    if width * height > limit:
        raise InvalidImage(f"image has more than {limit} pixels: {width}x{height}")
    return width * height
