"""Images in a form that the server reads and understands."""

from __future__ import annotations

from .bitmap import bmp
from .heif import AVIF, HEIF, converted
from .image_header import START, Undecodable, kind_of, read
from .pages import NoImage
from .pixels import decoded, same

FEWEST_BITS, MOST_BITS = 9, 16
_LOW = 4096  # 16-bit samples below it are likely to have 10 or 12 bits


def servable(content: bytes, bits: int | None = None) -> tuple[bytes, str]:
    """`content` as a file for the server, and a hint for the user, or "".

    HEIF and AVIF are converted. Samples of two bytes are taken as numbers of `bits` bits and scaled to 8; the server would take
    their upper byte, as PaddleX does. The hint tells of samples that are almost black that way.

    Raises:
        NoImage: it cannot be converted or scaled, or a sample needs more than `bits` bits.
    """
    kind = kind_of(content[:START])
    if kind in (HEIF, AVIF):
        return converted(content, kind), ""
    if kind not in ("PNG", "TIFF", "PNM") or bits == MOST_BITS or not _has_two_bytes(content):
        return content, ""
    pixels, eight = decoded(content, all_bits=True), decoded(content)
    if pixels is None or eight is None:
        return content, ""  # the server says why
    largest, usable = int(pixels.max()), same(pixels, eight)
    if bits is None:
        return content, _hint(largest) if usable and 0 < largest < _LOW else ""
    if not usable:
        raise NoImage("cannot be scaled: save it as grey or RGB, without alpha, and with black as 0")
    if largest >= 1 << bits:
        raise NoImage(f"has a sample of {largest}, which needs {largest.bit_length()} bits, not {bits}")
    return bmp((pixels >> (bits - 8)).astype("uint8")), ""


def _has_two_bytes(content: bytes) -> bool:
    try:
        return read(content).bits == 16
    except Undecodable:
        return False


def _hint(largest: int) -> str:
    bits = 10 if largest < 1024 else 12
    return (
        f"its largest 16-bit sample is {largest}, so the network sees it almost black; if its samples have {bits} bits,"
        f" pass --bits {bits} (in Python, bits={bits})"
    )
