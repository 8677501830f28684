"""The header of an image file, read before any decoder sees the file.

A file of a few kilobytes can claim a gigapixel, a chunk of 4 GB or a million scans, and decoders believe it. This code decodes
nothing and believes nothing: it checks every length against the file's size and bounds its own steps.
`preprocess` and the client package each have a copy of this file; a test keeps them equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from mmap import mmap
from struct import calcsize, error, unpack_from
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

Data: TypeAlias = "bytes | mmap"

FORMATS = "JPEG, PNG, BMP, WebP, TIFF, PNM, Sun raster"
START = 256  # first bytes of a file, enough to tell its kind
LONGEST_SIDE = 2**20  # pixels; OpenCV's limit
MOST_MEMORY = 2**30  # bytes that a decoder may use on top of its output: six for each of OpenCV's maximum of 178,956,970 pixels
MOST_SEGMENTS = 2**16  # chunks, segments, strips or tiles per file; each costs a decoder up to 50 us
MOST_SCANS = 100  # per JPEG; 10 are common. A scan of only 250 bytes costs a pass over the whole image
MOST_WORK = 2**32  # pixels times scans; takes half a minute
MOST_TEXTS = 32  # compressed texts per PNG; libpng expands each to up to 8 MB
MOST_PAGES = 10_000
MOST_TAGS = 4096  # libtiff's limit
MOST_TILE = 2**22  # pixels per TIFF tile; a larger one may have up to twice the image's pixels


class Undecodable(ValueError):
    """This file must not reach a decoder; the message follows the field's name."""


@dataclass(frozen=True)
class Header:
    """`width` and `height`, in pixels, are as stored in the file; EXIF may still rotate the image.

    `memory` is the maximum that a decoder needs on top of its output, in bytes. `animation` is the offset of the chunk name
    `acTL`, which animates a PNG; 0 for a still image. `bits` is 16 if samples have two bytes, else 8 or fewer. `orientation` is
    EXIF's, 1 to 8, in a WebP; in other kinds, OpenCV reads and applies it. `largest` is the value of full brightness in a PNM
    that OpenCV reads too dark, because it takes samples for numbers up to 255 or 65535; otherwise 0.
    """

    kind: str
    width: int
    height: int
    memory: int = 0
    animation: int = 0
    bits: int = 8
    orientation: int = 1
    largest: int = 0

    def turned(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pixels as stored, [H, W, ...], turned by `orientation`.

        OpenCV turns a WebP only from about 4.12 on, so a WebP must be decoded with IMREAD_IGNORE_ORIENTATION before.
        """
        if self.orientation >= 5:
            pixels = pixels.swapaxes(0, 1)
        rows = slice(None, None, -1 if self.orientation in (3, 4, 7, 8) else 1)
        columns = slice(None, None, -1 if self.orientation in (2, 3, 6, 7) else 1)
        return pixels[rows, columns].copy() if self.orientation > 1 else pixels


def kind_of(start: bytes) -> str:
    """The kind of a file, from its first START bytes: one of FORMATS, another kind, or "" if it is unknown."""
    return next((kind for first, kind, _ in _READERS if first.match(start)), "") or _other_kind(start)


def read(data: Data, page: int | None = None) -> Header:
    """The header of an encoded image; of a TIFF, that of the page at this offset, or else of the first one.

    Raises Undecodable if its kind is not in FORMATS, its lengths show that it is incomplete, or it costs too much to decode.
    """
    if not data:
        raise Undecodable("is empty (0 bytes)")
    reader = next((reader for start, _, reader in _READERS if start.match(data)), None)
    if reader is None:
        kind = _other_kind(data[:START]) or "not an image of a known kind"
        raise Undecodable(f"cannot be decoded: it is {kind}; send one of {FORMATS}")
    try:
        header = reader(data) if page is None else _tiff(data, page)
    except (error, OverflowError):  # an offset points past the file's end
        raise Undecodable(f"cannot be decoded: the {len(data)} bytes are not a whole image: its header is cut off") from None
    if not 1 <= header.width <= LONGEST_SIDE or not 1 <= header.height <= LONGEST_SIDE:
        raise _broken(header.kind, f"its size is {header.width}x{header.height}; sides must be from 1 to {LONGEST_SIDE} pixels")
    if header.memory > MOST_MEMORY:
        raise Undecodable(f"cannot be decoded: this {header.kind} of {header.width}x{header.height} would take too much memory")
    return header


def _broken(kind: str, why: str) -> Undecodable:
    return Undecodable(f"cannot be decoded: not a whole image, or not a valid {kind}: {why}")


def _odd(kind: str, what: str) -> Undecodable:
    return Undecodable(f"cannot be decoded: a {kind} {what} is not supported")


_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff]")
_JPEG_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_JPEG_STRETCH = 2**20  # bytes
_JPEG_SCAN = 0xDA
_JPEG_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7
_JPEG_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, with Huffman and arithmetic coding
_JPEG_PROGRESSIVE = {0xC2, 0xCA}


def _jpeg(data: Data) -> Header:
    """ITU-T T.81, annex B."""
    frame, scans = None, 0
    for marker, start in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            if frame is not None:
                raise _broken("JPEG", "it has two frames")
            frame = _jpeg_frame(data, marker, start)
        elif marker == _JPEG_LS:
            raise _odd("JPEG", "of the kind JPEG-LS")
        elif marker == _JPEG_SCAN:
            if frame is None:
                raise _broken("JPEG", "its pixels come before its size")
            scans += 1
            header, components, progressive = frame
            if not progressive and data[start : start + 1] == bytes([components]):
                return replace(header, memory=0)  # decoded row by row; a decoder reads no further
            if scans > MOST_SCANS or scans * header.width * header.height > MOST_WORK:
                raise _odd("JPEG", f"of {header.width}x{header.height} in {scans} scans or more")
    if frame is None or not scans:
        raise _broken("JPEG", "it ends before its pixels")
    return frame[0]


def _jpeg_segments(data: Data) -> Iterator[tuple[int, int]]:
    """Each marker and the offset of its content. Skips scan data."""
    position, marker = 2, 0
    for _ in range(MOST_SEGMENTS):
        found = _jpeg_marker(data, position, marker == _JPEG_SCAN)
        if found is None or found[0] == b"\xff\xd9":
            return
        marker, position = found[0][1], found.end()
        if marker not in _JPEG_ALONE:
            yield marker, position + 2
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    raise _broken("JPEG", f"it has more than {MOST_SEGMENTS} segments")


def _jpeg_marker(data: Data, position: int, after_scan: bool) -> re.Match[bytes] | None:
    """The next marker. Searches a megabyte at a time, so that other threads can run; between segments, one megabyte is enough."""
    for start in range(position, len(data) if after_scan else min(len(data), position + 1), _JPEG_STRETCH):
        found = (_JPEG_AFTER_SCAN if after_scan else _JPEG_MARKER).search(data, start, start + _JPEG_STRETCH + 1)
        if found is not None:
            return found
    return None


def _jpeg_frame(data: Data, marker: int, start: int) -> tuple[Header, int, bool]:
    """The header, with the memory for decoding the whole image at once; the number of components; whether it is progressive."""
    bits, height, width, components = unpack_from(">BHHB", data, start)
    if marker not in _JPEG_READ:
        raise _odd("JPEG", "with lossless or differential coding")
    if bits != 8:
        raise _odd("JPEG", f"with {bits} bits per sample")
    if not 1 <= components <= 4:
        raise _broken("JPEG", f"it has {components} components")
    sampling = [(each >> 4, each & 15) for each in unpack_from(">" + "xBx" * components, data, start + 6)]
    if not all(1 <= across <= 4 and 1 <= down <= 4 for across, down in sampling):
        raise _broken("JPEG", "its components have an unknown sampling")
    columns = -(-width // (8 * max(across for across, _ in sampling)))
    rows = -(-height // (8 * max(down for _, down in sampling)))
    blocks = columns * rows * sum(across * down for across, down in sampling)
    return Header("JPEG", width, height, blocks * 128), components, marker in _JPEG_PROGRESSIVE


# Per colour type: the allowed bits per sample, and the samples per pixel.
_PNG_KINDS = {0: ((1, 2, 4, 8, 16), 1), 2: ((8, 16), 3), 3: ((1, 2, 4, 8), 1), 4: ((8, 16), 2), 6: ((8, 16), 4)}
_PNG_SIZES = {b"IHDR": (13, 13), b"acTL": (8, 8), b"fcTL": (26, 26), b"PLTE": (3, 768), b"tRNS": (1, 256)}
_DEFLATE_RATIO = 1032  # zlib's maximum


def _png(data: Data) -> Header:
    """W3C PNG, third edition."""
    width, height, bits, colour, compression, filtering, interlace = unpack_from(">IIBBBBB", data, 16)
    depths, samples = _PNG_KINDS.get(colour, ((), 0))
    if data[8:16] != b"\0\0\0\x0dIHDR" or bits not in depths or compression or filtering or interlace > 1:
        raise _broken("PNG", "its header is wrong")
    taken, texts, animation, first = 0, 0, 0, b""
    for name, start, length in _png_chunks(data):
        least, most = _PNG_SIZES.get(name, (0, length))
        if not least <= length <= most:
            raise _broken("PNG", f"its {name.decode()} has {length} bytes")
        if name == b"IDAT":
            taken += length
            first = first or data[start : start + min(length, 1)]
        elif name in (b"zTXt", b"iTXt", b"iCCP"):
            texts += 1
        elif name == b"acTL":
            if animation:
                raise _broken("PNG", "it has two animations")
            animation = start - 4
    if texts > MOST_TEXTS:
        raise _odd("PNG", f"with more than {MOST_TEXTS} compressed texts")
    if not first or first[0] & 15 != 8 or height * (width * samples * bits // 8) > taken * _DEFLATE_RATIO:
        raise _broken("PNG", f"its {taken} bytes of pixel data cannot be an image of {width}x{height}")
    return Header("PNG", width, height, animation=animation, bits=bits)


def _png_chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk between IHDR and IEND, and the start and length of its content."""
    position = 33
    for _ in range(MOST_SEGMENTS):
        length, name = unpack_from(">I4s", data, position)
        if length + 12 > len(data) - position:
            told = name.decode() if name.isalnum() else "?"
            raise _broken("PNG", f"its chunk {told} claims {length} bytes, but only {len(data) - position - 8} follow")
        if name == b"IEND":
            return
        yield name, position + 8, length
        position += length + 12
    raise _broken("PNG", f"it has more than {MOST_SEGMENTS} chunks")


_BMP_DEPTHS = {0: (1, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), 3: (16, 32)}  # by compression: none, RLE8, RLE4, masks


def _bmp(data: Data) -> Header:
    """BITMAPCOREHEADER, BITMAPINFOHEADER and its successors."""
    offset, size = unpack_from("<II", data, 10)
    if size == 12:
        width, height, bits = unpack_from("<HHxxH", data, 18)
        compression = colours = 0
    elif 36 <= size <= 256:
        width, height, bits, compression, colours = unpack_from("<iixxHI12xI", data, 18)
    else:
        raise _broken("BMP", f"its header has {size} bytes")
    depths = _BMP_DEPTHS.get(compression, ())
    if bits not in depths:
        raise _odd("BMP", f"with {bits} bits per pixel and compression {compression}")
    palette = (colours or 1 << bits) * (3 if size == 12 else 4) if bits <= 8 else 0
    if (bits <= 8 and colours > 256) or 14 + size + palette > len(data) or offset > len(data):
        raise _broken("BMP", "its palette or its pixels lie outside the file")
    pitch = -(-width * bits // 32) * 4
    if compression in (0, 3) and offset + pitch * abs(height) > len(data):
        raise _broken("BMP", f"it claims {pitch * abs(height)} bytes of pixels, but the file has only {len(data) - offset}")
    return Header("BMP", width, abs(height))


def _webp(data: Data) -> Header:
    """Google's WebP Container Specification (RFC 9649). OpenCV reads an animation's first frame."""
    name, start, length = next(_webp_chunks(data, 12, len(data)), (b"", 0, 0))
    if name != b"VP8X":
        width, height = _webp_bitstream(data, name, start, length)
        return Header("WebP", width, height, width * height * 8)
    canvas = _webp_size(data, start + 4)
    (flags,) = unpack_from("B", data, start)
    animated, orientation = bool(flags & 2), _webp_orientation(data, start + length) if flags & 8 else 1
    for name, at, taken in _webp_chunks(data, start + length, len(data)):
        if name in (b"VP8 ", b"VP8L") and not animated:
            if _webp_bitstream(data, name, at, taken) != canvas:
                raise _broken("WebP", "its picture and its canvas differ in size")
            return Header("WebP", *canvas, canvas[0] * canvas[1] * 8, orientation=orientation)
        if name == b"ANMF" and animated:
            left, top, size = 2 * _u24(data, at), 2 * _u24(data, at + 3), _webp_size(data, at + 6)
            inner = [each for each in _webp_chunks(data, at + 16, at + taken) if each[0] in (b"VP8 ", b"VP8L")]
            if not inner or _webp_bitstream(data, *inner[0]) != size or left + size[0] > canvas[0] or top + size[1] > canvas[1]:
                raise _broken("WebP", "a frame of its animation has a wrong size or lies outside the canvas")
            return Header("WebP", *canvas, canvas[0] * canvas[1] * 16, orientation=orientation)
    raise _broken("WebP", "it has no picture")


def _webp_orientation(data: Data, position: int) -> int:
    """EXIF's orientation; 1 if it cannot be read, as in OpenCV: the picture may be whole all the same."""
    try:
        [start, end] = next((at, at + length) for name, at, length in _webp_chunks(data, position, len(data)) if name == b"EXIF")
        orientation = _TiffTags(data[start:end].removeprefix(b"Exif\0\0")).one(274, 1)
    except (Undecodable, StopIteration, error, OverflowError):
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _webp_chunks(data: Data, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The name of each chunk, and the start and length of its content."""
    for _ in range(MOST_SEGMENTS):
        if position + 8 > end:
            return
        name, length = unpack_from("<4sI", data, position)
        if length > end - position - 8:
            told = name.decode() if name.isalnum() else "?"
            raise _broken("WebP", f"its chunk {told} claims {length} bytes, but only {end - position - 8} follow")
        yield name, position + 8, length
        position += 8 + length + length % 2
    raise _broken("WebP", f"it has more than {MOST_SEGMENTS} chunks")


def _webp_bitstream(data: Data, name: bytes, start: int, length: int) -> tuple[int, int]:
    """Width and height stored in a chunk of pixels."""
    if name == b"VP8 " and length >= 10 and data[start + 3 : start + 6] == b"\x9d\x01\x2a":
        width, height = unpack_from("<HH", data, start + 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and length >= 5 and data[start] == 0x2F:
        (sides,) = unpack_from("<I", data, start + 1)
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    raise _broken("WebP", "its pixels have a wrong signature")


def _webp_size(data: Data, start: int) -> tuple[int, int]:
    return _u24(data, start) + 1, _u24(data, start + 3) + 1


def _u24(data: Data, start: int) -> int:
    low, high = unpack_from("<HB", data, start)
    return int(low | high << 16)


_TIFF_TYPES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q", 6: "B", 7: "B", 8: "H", 9: "I", 10: "Q", 11: "I", 12: "Q"}
_TIFF_TYPES |= {13: "I", 16: "Q", 17: "Q", 18: "Q"}
_TIFF_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}  # those that OpenCV's libtiff reads
_TIFF_COMPRESSION_NAMES = {
    1: "no",
    2: "CCITT",
    3: "CCITT G3",
    4: "CCITT G4",
    5: "LZW",
    6: "old-style JPEG",
    7: "JPEG",
    8: "Deflate",
    32773: "PackBits",
    32946: "Deflate",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG (DNG)",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_TIFF_DEPTHS = (1, 4, 8, 16)
_TIFF_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "untyped", 5: "complex integer", 6: "complex"}
_TIFF_COLOURS = {  # per photometric interpretation: its name, and the samples per pixel without others such as alpha
    0: ("grey", 1),
    1: ("grey", 1),
    2: ("RGB", 3),
    3: ("palette", 1),
    5: ("CMYK", 4),
    6: ("YCbCr", 3),
    8: ("CIELab", 3),
}
_TIFF_RAW = (32803, 34892)  # photometric interpretations: colour filter array, linear raw
_TIFF_OF_OTHERS = 5  # bits of tag 254: a reduced copy, or a mask, of another page
_TIFF_ALPHA = ((1,), (2,))  # kinds of extra samples


def _tiff(data: Data, page: int | None = None) -> Header:
    """TIFF 6.0 and BigTIFF. OpenCV reads the first page, partly through libtiff's RGBA interface."""
    tags = _TiffTags(data, page)
    if page is None:
        list(tags.pages())  # a file whose end is missing is refused, even if its first page is whole
    width, height = tags.one(256), tags.one(257)
    samples = tags.one(277, 1)
    bits = tags.one(258, 1)
    if (refusal := _tiff_refusal(tags)) != "":
        raise Undecodable(f"cannot be decoded: {refusal}")
    if tags.one(254, 0) & _TIFF_OF_OTHERS:
        told = "the first page of this TIFF is a reduced copy or a mask of another; save the full picture as the first page"
        raise Undecodable(f"cannot be decoded: {told}")
    tiled = 322 in tags or 323 in tags
    across, down = (tags.one(322), tags.one(323)) if tiled else (width, min(tags.one(278, height), height))
    if not across or not down or (tiled and (across < 16 or down < 16 or across * down > max(MOST_TILE, 2 * width * height))):
        raise _broken("TIFF", f"its strips or tiles have {across}x{down} pixels")
    planes = samples if tags.one(284, 1) == 2 else 1
    parts = -(-width // across) * -(-height // down) * planes
    if parts > MOST_SEGMENTS:
        raise _odd("TIFF", f"with {parts} strips or tiles")
    offsets = tags.all(324 if 324 in tags else 273, parts)
    counts = tags.all(325 if 325 in tags else 279, parts)
    if len(offsets) < parts or any(map(len(data).__lt__, map(int.__add__, offsets, counts))):
        raise _broken("TIFF", f"one of its {parts} strips or tiles lies outside the file's {len(data)} bytes")
    return Header("TIFF", width, height, across * down * (4 + -(-samples * bits // 8)), bits=bits)


def tiff_pages(data: Data) -> Iterator[tuple[int, int]]:
    """The place and the offset of each page of a TIFF, without reduced copies and masks of other pages.

    Raises Undecodable after the last page that can be found if the file's end is missing, or its pages form a loop.
    """
    try:
        for place, at in enumerate(_TiffTags(data).pages()):
            if not _TiffTags(data, at).one(254, 0) & _TIFF_OF_OTHERS:
                yield place, at
    except (error, OverflowError):
        raise _broken("TIFF", "its end is missing") from None


def _tiff_refusal(tags: _TiffTags) -> str:
    """Why OpenCV cannot read this page, or would read it wrongly (as noise, or its first band alone), and what to do; else ""."""
    samples, compression = tags.one(277, 1), tags.one(259, 1)
    depths, formats = (sorted(set(tags.all(tag, MOST_TAGS) or (1,))) for tag in (258, 339))
    photometric = tags.one(262, 2 if samples > 2 else 1)
    [colours, needed] = _TIFF_COLOURS.get(photometric, (f"colours of kind {photometric}", 0))
    extra, alpha = samples - needed, tags.all(338, 1) in _TIFF_ALPHA
    if (tags.one(254, 0) & 1 and 330 in tags) or 50706 in tags or photometric in _TIFF_RAW:  # a thumbnail; DNG's version
        advice = "it seems to be a camera's raw file: develop it to a JPEG, PNG or TIFF"
    elif formats != [1]:
        advice = "scale its samples to unsigned ones of 8 bits"
    elif len(depths) > 1 or depths[0] not in _TIFF_DEPTHS:
        advice = "scale its samples to 8 bits" if depths[-1] > 16 else "save it with 8 or 16 bits per sample"
    elif compression not in _TIFF_COMPRESSIONS:
        advice = "save it uncompressed, or with LZW, Deflate, PackBits or JPEG"
    elif samples > 4 or (needed and not 0 <= extra <= 1) or (needed == extra == 1 and not alpha):
        advice = "save one band as grey, or three bands as RGB"
    elif not needed or (depths == [16] and colours in ("palette", "CMYK")):
        advice = "save it as RGB"
    else:
        return ""
    kinds = "/".join(_TIFF_FORMATS.get(each, "unknown") for each in formats[:4])
    told = f"{samples} band{'s' * (samples != 1)}, {'/'.join(map(str, depths[:4]))}-bit {kinds}, {colours}"
    name = _TIFF_COMPRESSION_NAMES.get(compression, f"unknown ({compression})")
    return f"a TIFF of {told}, with {name} compression is not supported; {advice}"


class _TiffTags:
    """The tags of the directory at `at`, or else of the first one. The file's length bounds the cost of reading them."""

    def __init__(self, data: Data, at: int | None = None) -> None:
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"+\0", b"\0+")
        self.entries: dict[int, tuple[str, int, int]] = {}
        if at is None:
            (at,) = self._unpack("Q", 8) if self.big else self._unpack("I", 4)
        self.at = at
        self._directory(at)

    def pages(self) -> Iterator[int]:
        """The offsets of this directory and of those after it."""
        found: set[int] = set()
        at = self.at
        while at:
            if at in found or len(found) == MOST_PAGES:
                raise _broken("TIFF", f"its pages form a loop, or there are more than {MOST_PAGES}")
            found.add(at)
            yield at
            at = self._following(at)

    def __contains__(self, tag: int) -> bool:
        return tag in self.entries

    def one(self, tag: int, default: int | None = None) -> int:
        if tag not in self.entries and default is None:
            raise _broken("TIFF", f"its tag {tag} is missing")
        return self.all(tag, 1)[0] if tag in self.entries else int(default or 0)

    def all(self, tag: int, most: int) -> tuple[int, ...]:
        """The tag's values, at most the first `most`; empty if the tag is missing."""
        kind, count, at = self.entries.get(tag, ("B", 0, 0))
        if tag in self.entries and not count:
            raise _broken("TIFF", f"its tag {tag} is empty")
        return self._unpack(f"{min(count, most)}{kind}", at)

    def _unpack(self, kinds: str, at: int) -> tuple[int, ...]:
        return unpack_from(self.order + kinds, self.data, at)

    def _directory(self, at: int) -> None:
        (number,) = self._unpack("Q" if self.big else "H", at)
        if number > MOST_TAGS:
            raise _broken("TIFF", f"it has {number} tags")
        start, size, count_kind, inline = (at + 8, 20, "Q", 8) if self.big else (at + 2, 12, "I", 4)
        held = 0
        for entry in range(start, start + number * size, size):
            tag, type_number, count = self._unpack("HH" + count_kind, entry)
            kind = _TIFF_TYPES.get(type_number, "B")
            length = count * calcsize("=" + kind)
            (outside,) = self._unpack(count_kind, entry + size - inline)
            value = entry + size - inline if length <= inline else outside
            self.entries.setdefault(tag, (kind, count, value))
            held += min(length, len(self.data))
        if held > 2 * len(self.data) + 2**16:  # libtiff keeps a copy of each value
            raise _broken("TIFF", "its tags claim more than the file holds")

    def _following(self, at: int) -> int:
        """The offset of the directory after the one at `at`; 0 if there is none."""
        (number,) = self._unpack("Q" if self.big else "H", at)
        (following,) = self._unpack("Q", at + 8 + 20 * number) if self.big else self._unpack("I", at + 2 + 12 * number)
        if following >= len(self.data):
            raise _broken("TIFF", f"its next page is at {following}, but the file has only {len(self.data)} bytes")
        return following


_PNM_GAP = rb"\s(?:\s|#[^\r\n]*[\r\n])*"
_PNM_BITS = re.compile(rb"P([14])" + 2 * (_PNM_GAP + rb"0*(\d{1,10})") + rb"\s?")
_PNM_VALUES = re.compile(rb"P([2356])" + 3 * (_PNM_GAP + rb"0*(\d{1,10})") + rb"\s?")
_PNM_HEADER = 2**16  # bytes, including comments


def _pnm(data: Data) -> Header:
    """Netpbm's PBM, PGM and PPM, plain and raw."""
    start = data[:_PNM_HEADER]
    found = _PNM_BITS.match(start) or _PNM_VALUES.match(start)
    if found is None:
        raise _broken("PNM", "its header is wrong")
    kind, width, height, most = (int(number) for number in (*found.groups(), b"1")[:4])
    if not 1 <= most <= 65535:
        raise _broken("PNM", f"its largest value is {most}")
    samples = width * height * (3 if kind in (3, 6) else 1)
    needed = {1: samples, 4: -(-width // 8) * height}.get(
        kind, samples * (2 if most > 255 else 1) if kind > 3 else 2 * samples - 1
    )
    if needed > len(data) - found.end():
        raise _broken("PNM", f"{width}x{height} needs {needed} bytes, but the file has only {len(data) - found.end()}")
    dim = 255 < most < 65535 or (kind > 4 and most < 255)
    return Header("PNM", width, height, bits=16 if most > 255 else 8, largest=most if dim else 0)


def _sun(data: Data) -> Header:
    """rasterfile.h of SunOS."""
    width, height, bits, _, encoding, map_kind, map_length = unpack_from(">7I", data, 4)
    if encoding not in (0, 1) or bits not in (1, 8, 24, 32):
        raise _odd("Sun raster", f"with encoding {encoding} and {bits} bits per pixel")
    if (map_kind, map_length) != (0, 0) and (map_kind != 1 or bits > 8 or not 1 <= map_length <= 3 << bits):
        raise _broken("Sun raster", "its colour map is wrong")
    needed = 32 + map_length + (-(-width * bits // 8) + 1) // 2 * 2 * height
    if needed > len(data):
        raise _broken("Sun raster", f"{width}x{height} needs {needed} bytes, but the file has only {len(data)}")
    return Header("Sun raster", width, height)


_READERS = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG", _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG", _png),
    (re.compile(rb"BM"), "BMP", _bmp),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP", _webp),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF", _tiff),
    (re.compile(rb"P[1-6]\s"), "PNM", _pnm),
    (re.compile(rb"\x59\xa6\x6a\x95"), "Sun raster", _sun),
)
_BRAND = rb"....ftyp(?:.{8}(?:....){0,16}?)?"  # before the major brand, or one of the compatible brands (ISO/IEC 14496-12, 4.3)
_OTHER_IMAGES = (
    (re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\0\0\0\x0cJXL |\xff\x0a"), "JPEG XL"),
    (re.compile(rb"II\xbc"), "JPEG XR"),
    (re.compile(rb"GIF8"), "GIF"),
    (re.compile(_BRAND + rb"avi[fs]", re.DOTALL), "AVIF"),
    (re.compile(_BRAND + rb"(?:hei[cfmsx]|hev[cmsx]|mif[12]|msf1)", re.DOTALL), "HEIF (HEIC)"),
    (re.compile(rb"....ftypcrx |II(?:RO|RS|U\0)|FUJIFILMCCD-RAW|FOVb", re.DOTALL), "camera raw"),
    (re.compile(rb"\x76\x2f\x31\x01"), "OpenEXR"),
    (re.compile(rb"#\?R(?:ADIANCE|GBE)"), "Radiance HDR"),
    (re.compile(rb"P7\s"), "PAM"),
    (re.compile(rb"P[Ff]\s"), "PFM"),
    (re.compile(rb"8BP[SB]"), "Photoshop (PSD)"),
    (re.compile(rb"DDS "), "DDS"),
    (re.compile(rb"\0\0[\x01\x02]\0(?!\0\0)"), "ICO"),
    (re.compile(rb".\0[\x02\x03\x0a\x0b]\0{5}.{8}[\x08\x10\x18\x20]", re.DOTALL), "TGA"),
    (re.compile(rb"\0{128}DICM|.{128}DICM", re.DOTALL), "DICOM"),
    (re.compile(rb"gimp xcf"), "GIMP (XCF)"),
    (re.compile(rb"qoif"), "QOI"),
    (re.compile(rb"icns"), "ICNS"),
    (re.compile(rb"\x01\xda[\x00\x01][\x01\x02]\x00"), "SGI"),
    (re.compile(rb"\n[\x00\x02-\x05]\x01[\x01\x02\x04\x08]"), "PCX"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "PostScript"),
    (re.compile(rb"SIMPLE  ="), "FITS"),
    (re.compile(rb"\s*(?:<[?!][^>]*>\s*)*<svg", re.IGNORECASE), "SVG"),
)
_NO_IMAGES = (
    (re.compile(rb"....ftyp(?!M4[ABP] )|\x1a\x45\xdf\xa3|RIFF....AVI ", re.DOTALL), "a video"),
    (re.compile(rb"%PDF-"), "PDF"),
    (re.compile(rb"PK\x03\x04|\x1f\x8b"), "an archive"),
    (re.compile(rb"\s*<(?:[!?]|html)", re.IGNORECASE), "XML or HTML"),
    (re.compile(rb"[\t\n\r\x20-\x7e]+\Z"), "text"),
)
OTHER_IMAGES = frozenset(kind for _, kind in _OTHER_IMAGES)


def _other_kind(start: bytes) -> str:
    return next((kind for first, kind in (*_OTHER_IMAGES, *_NO_IMAGES) if first.match(start)), "")
