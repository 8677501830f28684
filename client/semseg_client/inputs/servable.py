"""Images in a form that the server reads and understands."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .bitmap import bmp
from .heif import AVIF, HEIF, converted
from .image_header import START, Header, Undecodable, kind_of, read
from .pages import NoImage, UpperBytes
from .pixels import decoded, same

FEWEST_BITS, MOST_BITS = 9, 16
_LOW = 4096  # 16-bit samples below it are likely to have 10 or 12 bits
_SCALABLE = "save it as grey or RGB, pixel by pixel (not in separate planes), without alpha, and with black as 0"


def servable(content: bytes, bits: int | None = None) -> tuple[bytes, str]:
    """`content` as a file for the server, and a hint for the user, or "".

    HEIF and AVIF are converted. Samples of two bytes are taken as numbers of `bits` bits and scaled to 8; the server would take
    their upper byte, as PaddleX does. The hint tells of samples that are almost black that way.

    Raises:
        NoImage: it cannot be converted or scaled, needs `bits`, or has a sample of more than `bits` bits.
    """
    kind = kind_of(content[:START])
    if kind in (HEIF, AVIF):
        return converted(content, kind), ""
    if bits == MOST_BITS:
        return content, ""
    if isinstance(content, UpperBytes):
        return content, _hint_of_upper(decoded(content), bits)
    header = _deep(content) if kind in ("PNG", "TIFF", "PNM") else None
    if header is None:
        return content, ""
    if header.largest and bits is None:
        raise NoImage(_needed(header.largest))
    pixels, eight = decoded(content, all_bits=True), decoded(content)
    if pixels is None or eight is None:
        return content, ""  # the server says why
    if not same(pixels, eight):
        return content, _hint_of_upper(eight, bits)
    largest = int(pixels.max())
    if bits is None:
        return content, _hint(largest) if 0 < largest < _LOW else ""
    if largest >= 1 << bits:
        raise NoImage(f"has a sample of {largest}, which needs {largest.bit_length()} bits, not {bits}")
    return bmp((pixels >> (bits - 8)).astype("uint8")), ""


def _deep(content: bytes) -> Header | None:
    """The header of an image whose samples have two bytes."""
    try:
        header = read(content)
    except Undecodable:
        return None
    return header if header.bits == 16 else None


def _needed(largest: int) -> str:
    """Why the server refuses a PNM with this value of full brightness, and what to do."""
    told = f"its samples go up to {largest}, not 65535, so the network would see it too dark"
    bits = largest.bit_length()
    return f"{told}: " + (f"pass --bits {bits} (in Python, bits={bits})" if bits < MOST_BITS else "scale them to 65535")


def _hint(largest: int) -> str:
    bits = 10 if largest < 1024 else 12
    return (
        f"its largest 16-bit sample is {largest}, so the network sees it almost black; if its samples have {bits} bits,"
        f" pass --bits {bits} (in Python, bits={bits})"
    )


def _hint_of_upper(eight: npt.NDArray[Any] | None, bits: int | None) -> str:
    """The hint for samples of which only the upper bytes, `eight`, can be read. Raises NoImage if they are to be scaled."""
    if bits is not None:
        raise NoImage(f"cannot be scaled: {_SCALABLE}")
    if eight is None:
        return ""  # the server says why
    low = _LOW >> 8
    if eight.max() <= low:  # libtiff rounds
        colour = "black"
    elif 255 - low <= eight.min() < 255:
        colour = "white"
    else:
        return ""
    return (
        f"the network sees it almost {colour}; if its 16-bit samples have 10 or 12 bits, {_SCALABLE},"
        " and pass --bits 10 or --bits 12 (in Python, bits=10 or bits=12)"
    )
