"""HEIF (HEIC) and AVIF: the main picture of a file, decoded with the extra `heif`.

The server does not read these kinds: no decoder of theirs is known to survive strangers' files.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from .bitmap import bmp
from .pages import NoImage
from .pixels import MOST_PIXELS

HEIF, AVIF = "HEIF (HEIC)", "AVIF"  # names in image_header.py
INSTALL = "pip install 'paddle-semseg-client[heif]'"


def installed(kind: str) -> bool:
    """Whether the package that reads `kind` is there. Importing it would take too long just to look into a folder."""
    return find_spec("pillow_heif" if kind == HEIF else "PIL._avif") is not None


def converted(content: bytes, kind: str) -> bytes:
    """A BMP of the main picture, 8 bits, turned as the file says.

    A file of these kinds tells its orientation in its own boxes (irot, imir), and writers repeat it in EXIF. Only the boxes count
    (ISO/IEC 23008-12, 6.5.10).

    Raises:
        NoImage: the package is missing, or the file cannot be decoded.
    """
    if not installed(kind):
        raise NoImage(f"is {kind}; to read it: {INSTALL}")
    try:
        return bmp(_heif(content) if kind == HEIF else _avif(content))
    except NoImage:
        raise
    except Exception as error:  # Pillow and pillow-heif raise anything, such as an IndexError, on damaged files
        told = " ".join(str(error).split()) or type(error).__name__
        raise NoImage(f"cannot be decoded as {kind}: {told}") from error


def _heif(content: bytes) -> npt.NDArray[Any]:
    import pillow_heif

    picture = pillow_heif.open_heif(io.BytesIO(content), bgr_mode=True)  # decoded when its pixels are asked for
    _check_size(*picture.size)
    pixels = np.asarray(picture)
    # Grey of 10 or 12 bits comes scaled to 16, colours of them come scaled to 8.
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _avif(content: bytes) -> npt.NDArray[Any]:
    from PIL import ImageOps
    from PIL.AvifImagePlugin import AvifImageFile

    picture = AvifImageFile(io.BytesIO(content))  # not Image.open, which warns about large images
    _check_size(*picture.size)
    # Pillow turns the boxes into EXIF's orientation and replaces the file's own.
    return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))[..., ::-1]


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise NoImage(f"has more than {MOST_PIXELS} pixels: {width}x{height}")
