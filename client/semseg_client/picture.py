"""Pictures as files."""

from __future__ import annotations

import io

from PIL import Image

FORMATS = {  # Pillow's, by the suffixes under which a picture may be saved
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


def encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    """The file of a picture; `kind` and `options` are Pillow's.

    WebP is without loss: its default washes the borders between classes.
    """
    file = io.BytesIO()
    if kind == "WEBP":
        options = {"lossless": True, **options}
    picture.save(file, kind, **options)
    return file.getvalue()
