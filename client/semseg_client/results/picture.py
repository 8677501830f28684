"""Pictures of label maps, and their encoding as files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from semseg_contract.palette import Colour, colour_table

FORMATS = {  # Pillow's format names, by the file's suffix
    ".bmp": "BMP",
    ".dib": "DIB",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".png": "PNG",
    ".pnm": "PPM",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}


def indexed(label_map: npt.NDArray[np.uint8], palette: Sequence[Colour]) -> Image.Image:
    """The class ids, uint8 [H, W], as a picture of mode "P": the pixels are the ids, shown in the palette's colours."""
    image = Image.fromarray(label_map)
    image.putpalette(colour_table(palette).tobytes())
    return image


def encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """Encode a picture as a file; `kind` and `options` are Pillow's.

    WebP is lossless here: its default blurs the borders between classes.
    """
    file = io.BytesIO()
    if kind == "WEBP":
        options = {"lossless": True, **options}
    picture.save(file, kind, **options)
    return file.getvalue()
