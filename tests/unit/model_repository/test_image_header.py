"""Hostile files are refused in milliseconds, before a decoder sees them; test_image.py covers valid files."""

from __future__ import annotations

import io
import struct
import sys
import tracemalloc
import zlib
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from tests.fuzz import seeds
from tests.fuzz.seeds import picture, pillow, png, png_chunk, tiff
from tests.support import calls_at_most

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "model_repository/preprocess/1"))  # as Triton does
header = import_module("image_header")

SEEDS = seeds.seeds()
FEW = 10**6  # calls of a function; each takes about 0.1 microseconds
MEGABYTES = 64 * 2**20  # the gateway's limit


def read_or_refused(data: bytes) -> str:
    """The reason for refusing `data`, or an empty string; any other error fails the test."""
    try:
        header.read(data)
    except header.Undecodable as error:
        return str(error)
    return ""


def test_preprocess_and_the_client_read_headers_alike() -> None:
    copies = ("model_repository/preprocess/1/image_header.py", "client/semseg_client/inputs/image_header.py")
    assert len({(ROOT / copy).read_bytes() for copy in copies}) == 1


def jpeg_frame(width: int = 60, height: int = 40, marker: int = 0xC0, bits: int = 8, sampling: int = 0x11) -> bytes:
    components = b"".join(bytes((number, sampling, 0)) for number in (1, 2, 3))
    return struct.pack(">BBHBHHB", 0xFF, marker, 17, bits, height, width, 3) + components


SCAN = b"\xff\xda\x00\x0c\x03\x01\x00\x02\x00\x03\x00\x00\x3f\x00"
EDGE = 13_377  # pixels: 178.9 megapixels


def with_png_size(data: bytes, width: int, height: int) -> bytes:
    return data[:16] + struct.pack(">II", width, height) + data[24:]


def group4_bomb() -> bytes:
    return pillow(Image.new("1", (EDGE, EDGE), 1), "TIFF", compression="group4")


def tags(**more: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    basic = {256: (8,), 257: (8,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (8,), 279: (64,)}
    return {**basic, **{int(tag[1:]): value for tag, value in more.items()}}


def riff(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def vp8x(width: int, height: int, flags: int = 0) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def bmp(width: int = 4, height: int = 4, bits: int = 24, compression: int = 0, colours: int = 0, offset: int = 54) -> bytes:
    fields = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, offset) + fields + bytes(48)


LOSSY = riff_chunk(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\x3c\0\x28\0" + bytes(20))

HOSTILE: dict[str, tuple[bytes, str]] = {
    "jpeg without pixels": (b"\xff\xd8\xff\xe0\0\x04ab" + jpeg_frame(), "ends before its pixels"),
    "jpeg of two frames": (b"\xff\xd8" + jpeg_frame() + jpeg_frame(9, 9) + SCAN, "two frames"),
    "jpeg without a size": (b"\xff\xd8" + SCAN, "pixels come before its size"),
    "jpeg of no height": (b"\xff\xd8" + jpeg_frame(height=0) + SCAN, "its size is 60x0"),
    "jpeg of 12 bits": (b"\xff\xd8" + jpeg_frame(bits=12) + SCAN, "12 bits per sample"),
    "jpeg-ls": (b"\xff\xd8" + jpeg_frame(marker=0xF7) + SCAN, "a JPEG of the kind JPEG-LS is not supported"),
    "jpeg, lossless": (b"\xff\xd8" + jpeg_frame(marker=0xC3) + SCAN, "lossless"),
    "jpeg of odd sampling": (b"\xff\xd8" + jpeg_frame(sampling=0x0F) + SCAN, "unknown sampling"),
    "jpeg of a thousand scans": (b"\xff\xd8" + jpeg_frame(marker=0xC2) + (SCAN + b"a") * 1000, "in 101 scans or more"),
    "jpeg, huge, of thirty scans": (b"\xff\xd8" + jpeg_frame(EDGE, EDGE, 0xC2) + (SCAN + b"a") * 30, "in 25 scans or more"),
    "jpeg that takes gigabytes": (b"\xff\xd8" + jpeg_frame(65535, 65535, 0xC2) + SCAN, "too much memory"),
    "jpeg of a million segments": (b"\xff\xd8" + b"\xff\xe1\x00\x02" * 2**20 + jpeg_frame() + SCAN, "more than 65536 segments"),
    "jpeg, only its start": (b"\xff\xd8\xff", "ends before its pixels"),
    "png chunk of 4 GB": (png(8, 8).replace(struct.pack(">I", 12) + b"IDAT", b"\xff\xff\x7f\x01IDAT"), "claims"),
    "png of few pixels": (with_png_size(png(8, 8), 9000, 9000), "bytes of pixel data cannot be an image of 9000x9000"),
    "png without pixels": (png(8, 8, pixels=b""), "0 bytes of pixel data cannot be"),
    "png whose pixels are not compressed": (png(8, 8, pixels=bytes(300)), "cannot be an image of 8x8"),
    "png of no height": (png(8, 0), "its size is 8x0"),
    "png of 24 bits a sample": (png(8, 8).replace(b"\x08\x02\0\0\0", b"\x18\x02\0\0\0"), "header is wrong"),
    "png, unknown interlacing": (png(8, 8).replace(b"\x08\x02\0\0\0", b"\x08\x02\0\0\2"), "header is wrong"),
    "png of many bombs of text": (png(8, 8, before=png_chunk(b"zTXt", b"a\0\0") * 33), "more than 32 compressed texts"),
    "png of a million chunks": (png(8, 8, before=png_chunk(b"prVt", b"") * 2**20), "more than 65536 chunks"),
    "png, short animation control": (png(8, 8, before=png_chunk(b"acTL", b"\0\0")), "acTL has 2 bytes"),
    "png, short frame control": (png(8, 8, before=png_chunk(b"fcTL", b"\0\0")), "fcTL has 2 bytes"),
    "png of two animations": (png(8, 8, before=png_chunk(b"acTL", bytes(8)) * 2), "two animations"),
    "png, long palette": (png(8, 8, before=png_chunk(b"PLTE", bytes(3000))), "PLTE has 3000 bytes"),
    "png of Apple's": (png(8, 8)[:8] + png_chunk(b"CgBI", bytes(4)) + png(8, 8)[8:], "header is wrong"),
    "png, only its start": (png(8, 8)[:20], "cut off"),
    "bmp of a huge palette": (bmp(bits=8, colours=2**31), "palette"),
    "bmp, palette outside": (bmp(bits=8), "palette"),
    "bmp, pixels outside": (bmp(offset=2**31 - 1), "outside"),
    "bmp, too few pixels": (bmp(4, 5), "claims 60 bytes of pixels, but the file has only 48"),
    "bmp, too few pixels from the top": (bmp(4, -5), "claims 60 bytes of pixels"),
    "bmp of no width": (bmp(0), "its size is 0x4"),
    "bmp of negative width": (bmp(-4), "its size is -4x4"),
    "bmp that holds a JPEG": (bmp(compression=4), "compression 4"),
    "bmp, RLE of 24 bits": (bmp(compression=1), "24 bits per pixel and compression 1"),
    "bmp of an odd header": (b"BM" + bytes(8) + struct.pack("<II", 54, 13) + bytes(60), "header has 13 bytes"),
    "webp, chunk of 4 GB": (riff(b"VP8 \xff\xff\xff\xff" + bytes(40)), "claims 4294967295 bytes"),
    "webp, canvas unlike its picture": (riff(vp8x(16383, 16383), LOSSY), "differ in size"),
    "webp, canvas of a gigapixel": (riff(vp8x(2**24, 2**24), LOSSY), "differ in size"),
    "webp, no picture": (riff(vp8x(60, 40)), "no picture"),
    "webp, an empty file": (riff(), "wrong signature"),
    "webp, frame unlike its picture": (
        riff(vp8x(60, 40, 2), riff_chunk(b"ANMF", bytes(6) + b"\x09\0\0\x09\0\0" + bytes(4) + LOSSY)),
        "a wrong size",
    ),
    "webp, animation that takes gigabytes": (
        riff(vp8x(16383, 16383, 2), riff_chunk(b"ANMF", bytes(6) + b"\x3b\0\0\x27\0\0" + bytes(4) + LOSSY)),
        "too much memory",
    ),
    "webp, no bitstream": (riff(riff_chunk(b"VP8L", b"\x30" + bytes(20))), "wrong signature"),
    "tiff, strips outside": (tiff(tags(t273=(10**6,)), bytes(64)), "outside"),
    "tiff, strips of 4 GB": (tiff(tags(t279=(2**32 - 1,)), bytes(64)), "outside"),
    "tiff, too few strips": (tiff(tags(t278=(1,)), bytes(64)), "outside"),
    "tiff, no strips": (tiff(tags(t322=(32,), t323=(32,), t324=(8,), t257=(2000,)), bytes(64)), "outside"),
    "tiff of a million strips": (tiff(tags(t257=(2**20,), t278=(1,)), bytes(64)), "1048576 strips"),
    "tiff, tile of a gigapixel": (
        tiff(tags(t322=(2**15,), t323=(2**15,), t324=(8,), t325=(64,)), bytes(64)),
        "tiles have 32768x32768",
    ),
    "tiff, tiles of a pixel": (tiff(tags(t322=(1,), t323=(1,)), bytes(64)), "tiles have 1x1"),
    "tiff, tiles without height": (tiff(tags(t322=(32,)), bytes(64)), "tag 323 is missing"),
    "tiff that takes gigabytes": (tiff(tags(t256=(2**15,), t257=(2**15,), t278=(2**32 - 1,)), bytes(64)), "too much memory"),
    "tiff without a size": (tiff({258: (8,)}, bytes(64)), "tag 256 is missing"),
    "tiff, JPEG of the old kind": (tiff(tags(t259=(6,)), bytes(64)), "with old-style JPEG compression is not supported; save it"),
    "tiff, ThunderScan": (tiff(tags(t259=(32809,)), bytes(64)), r"with unknown \(32809\) compression"),
    "tiff, Zstandard": (tiff(tags(t259=(50000,)), bytes(64)), "1 band, 8-bit unsigned, grey, with Zstandard compression"),
    "tiff, LERC": (tiff(tags(t259=(34887,)), bytes(64)), "with LERC compression"),
    "tiff, JPEG 2000": (tiff(tags(t259=(34712,)), bytes(64)), "with JPEG 2000 compression"),
    "tiff of 32 bits": (tiff(tags(t258=(32,)), bytes(64)), "1 band, 32-bit unsigned, grey, .*; scale its samples to 8 bits"),
    "tiff of 12 bits": (tiff(tags(t258=(12,)), bytes(64)), "12-bit unsigned.*; save it with 8 or 16 bits per sample"),
    "tiff of mixed depths": (tiff(tags(t277=(3,), t258=(5, 6, 5), t262=(2,)), bytes(64)), "3 bands, 5/6-bit unsigned, RGB"),
    "tiff of floats": (tiff(tags(t258=(32,), t339=(3,)), bytes(64)), "32-bit floating-point, .*; scale its samples to unsigned"),
    "tiff of half floats": (tiff(tags(t258=(16,), t339=(3,)), bytes(64)), "16-bit floating-point"),
    "tiff of signed samples": (tiff(tags(t258=(16,), t339=(2,)), bytes(64)), "16-bit signed, .*; scale its samples to unsigned"),
    "tiff of eight bands": (tiff(tags(t277=(8,)), bytes(64)), "8 bands, 8-bit unsigned, .*; save one band as grey, or three"),
    "tiff of two bands": (tiff(tags(t277=(2,)), bytes(64)), "2 bands, 8-bit unsigned, grey"),
    "tiff of three bands of grey": (tiff(tags(t277=(3,)), bytes(64)), "3 bands, 8-bit unsigned, grey"),
    "tiff of four bands of grey": (tiff(tags(t277=(4,), t338=(0, 0, 0)), bytes(64)), "4 bands, 8-bit unsigned, grey"),
    "tiff, CMYK of 16 bits": (
        tiff(tags(t277=(4,), t262=(5,), t258=(16,)), bytes(64)),
        "4 bands, 16-bit .*CMYK.*; save it as RGB",
    ),
    "tiff, colour filter array": (tiff(tags(t262=(32803,)), bytes(64)), "colours of kind 32803.*; it seems to be a camera's raw"),
    "tiff, DNG": (tiff(tags(t50706=(1,)), bytes(64)), "; it seems to be a camera's raw file: develop it"),
    "tiff, thumbnail of a raw file": (
        tiff(tags(t254=(1,), t330=(8,)), bytes(64)),
        "; it seems to be a camera's raw file: develop it",
    ),
    "tiff, a reduced copy": (tiff(tags(t254=(1,)), bytes(64)), "is a reduced copy or a mask of another; save the full picture"),
    "tiff, a mask": (tiff(tags(t254=(4,)), bytes(64)), "is a reduced copy or a mask of another"),
    "tiff, empty directory": (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "tag 256 is missing"),
    "tiff, directory outside": (b"II*\0\xff\xff\xff\xff", "cut off"),
    "tiff, too many tags": (b"II*\0\x08\0\0\0\xff\xff" + bytes(2**20), "65535 tags"),
    "tiff, big, directory outside": (b"II+\0\x08\0\0\0" + b"\xff" * 8, "cut off"),
    "pnm of a gigapixel": (b"P6 99999 99999 255 " + bytes(100), "needs 29999400003 bytes"),
    "pnm of huge numbers": (b"P5 " + b"9" * 5000 + b" 1 255 ", "header is wrong"),
    "pnm, plain bits": (b"P1 9999 9999 " + b"1" * 100, "needs 99980001 bytes"),
    "pnm, plain colours": (b"P3 999 999 255 1 2 3", "needs 5988005 bytes"),
    "pnm of no width": (b"P5 0 4 255 abcd", "its size is 0x4"),
    "pnm, largest value of 0": (b"P5 2 2 0 abcd", "largest value is 0"),
    "pnm, largest value of 65536": (b"P5 2 2 65536 abcdabcd", "largest value is 65536"),
    "pnm, long comment": (b"P5 #" + b"a" * 2**20 + b"\n2 2 255 abcd", "header is wrong"),
    "pnm of spaces": (b"P5" + b" " * 2**20, "header is wrong"),
    "sun raster of a gigapixel": (struct.pack(">8I", 0x59A66A95, 2**15, 2**15, 24, 0, 1, 0, 0), "needs 3221225504 bytes"),
    "sun raster, run lengths": (struct.pack(">8I", 0x59A66A95, 8, 8, 8, 0, 2, 0, 0) + bytes(64), "encoding 2"),
    "sun raster, huge map": (struct.pack(">8I", 0x59A66A95, 8, 8, 8, 0, 1, 1, 2**31) + bytes(64), "colour map is wrong"),
    "sun raster, only its start": (b"\x59\xa6\x6a\x95\0\0", "cut off"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_little_work_and_told_why(kind: str) -> None:
    data, why = HOSTILE[kind]
    with calls_at_most(FEW), pytest.raises(header.Undecodable, match=why):
        header.read(data)


def test_tags_that_all_claim_the_whole_file_are_refused() -> None:
    """libtiff would keep a copy of the value for each tag."""
    entries = b"".join(struct.pack("<HHII", tag, 1, 2**20, 8) for tag in range(40_000, 40_100))
    data = b"II*\0" + struct.pack("<I", 8 + 2**20) + bytes(2**20) + struct.pack("<H", 100) + entries + bytes(4)
    with pytest.raises(header.Undecodable, match="claim more than the file holds"):
        header.read(data)


def test_pages_in_a_circle_are_refused() -> None:
    whole = SEEDS["tiff, little end first"]
    (first,) = struct.unpack_from("<I", whole, 4)
    (number,) = struct.unpack_from("<H", whole, first)
    behind = first + 2 + 12 * number
    with pytest.raises(header.Undecodable, match="form a loop"):
        header.read(whole[:behind] + struct.pack("<I", first) + whole[behind + 4 :])


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"GIF89a\x01\0\x01\0", "GIF"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x20ftypheic", "HEIF"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1heic", "HEIF"),
        *((b"\0\0\0\x1cftyp" + brand + b"\0\0\0\0miafheic", "HEIF") for brand in (b"mif2", b"miaf", b"MiHE", b"1pic", b"tmap")),
        (b"\0\0\0\x20ftypmp42\0\0\0\0isommp41hev1", "a video"),
        (b"\0\0\0\x20ftypisom", "a video"),
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"P7\nWIDTH 3\n", "PAM"),
        (b"PF\n3 3\n-1.0\n", "PFM"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\1\0\1\0\x40\x40", "ICO"),
        (b"\0\0\2\0\0\0\0\0\0\0\0\0\0\1\x80\0\x18\0", "TGA"),
        (b"II\xbc\1\x20\0\0\0", "JPEG XR"),
        (b"\0\0\0\x18ftypcrx ", "camera raw"),
        (b"IIRO\x08\0\0\0", "camera raw"),
        (b"gimp xcf v011\0", "GIMP"),
        (b"qoif\0\0\0\x40", "QOI"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"\n\5\1\x08\0\0\0\0", "PCX"),
        (b"PK\3\4\x14\0", "an archive"),
        (b"<svg xmlns='a'>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- a -->\n<svg xmlns='a'>", "SVG"),
        (b"<!doctype html>\n<html>", "XML or HTML"),
        (b"@x.jpg", "text"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(20), "not an image of a known kind"),
        (b"RIFF\0\0\0\0WAVE", "not an image of a known kind"),
    ],
)
def test_other_kinds_are_refused_by_their_name(start: bytes, kind: str) -> None:
    with pytest.raises(header.Undecodable, match=f"^cannot be decoded: it is {kind}.*; send one of {header.FORMATS}"):
        header.read(start)


@pytest.mark.parametrize(
    ("make", "size"),
    [(lambda: png(EDGE, EDGE, 1, 0), 25_000), (group4_bomb, 700_000)],
    ids=["png", "group 4 tiff"],
)
def test_a_bomb_tells_its_size_by_its_header(make: object, size: int) -> None:
    data = make()  # type: ignore[operator]
    assert len(data) < size
    tracemalloc.start()
    try:
        found = header.read(data)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert (found.width, found.height) == (EDGE, EDGE)


LONG = {
    "jpeg of fill bytes": b"\xff\xd8" + b"\xff" * MEGABYTES,
    "jpeg of zeros": b"\xff\xd8\xff\xe0" + bytes(MEGABYTES),
    "jpeg of escaped bytes in a scan": b"\xff\xd8" + jpeg_frame(marker=0xC2) + SCAN + b"\xff\0" * (MEGABYTES // 2),
    "jpeg of restart markers": b"\xff\xd8" + jpeg_frame(marker=0xC2) + SCAN + b"\xff\xd0" * (MEGABYTES // 2),
    "jpeg of empty segments": b"\xff\xd8" + b"\xff\xe1\0\2" * (MEGABYTES // 4),
    "png of empty chunks": png(8, 8)[:33] + b"\0\0\0\0aaaa\0\0\0\0" * (MEGABYTES // 12),
    "webp of empty chunks": riff(vp8x(60, 40), b"ALPH\0\0\0\0" * (MEGABYTES // 8)),
    "tiff of pages": b"II*\0\x08\0\0\0" + b"".join(struct.pack("<HI", 0, 14 + 6 * page) for page in range(10**5)),
    "pnm of comments": b"P5" + b" #\n" * (MEGABYTES // 3),
    "spaces": b" " * MEGABYTES,
    "zeros": bytes(MEGABYTES),
}


@pytest.mark.parametrize("kind", LONG)
def test_the_longest_file_takes_little_work(kind: str) -> None:
    with calls_at_most(FEW):
        read_or_refused(LONG[kind])


@pytest.mark.parametrize("kind", SEEDS)
def test_every_start_of_a_file_is_read_or_refused(kind: str) -> None:
    """A truncated file raises nothing but Undecodable."""
    data = SEEDS[kind]
    for end in [*range(min(len(data), 300)), *range(300, len(data), 97)]:
        assert read_or_refused(data[:end]).partition(":")[0] in ("", "is empty (0 bytes)", "cannot be decoded")


def test_a_tiff_of_whose_pages_one_is_missing_is_refused() -> None:
    """Its first page may be whole."""
    whole = SEEDS["tiff, several pages"]
    (first,) = struct.unpack_from("<I", whole, 4)
    (number,) = struct.unpack_from("<H", whole, first)
    (second,) = struct.unpack_from("<I", whole, first + 2 + 12 * number)
    assert header.read(whole).width == seeds.WIDTH
    for end in (second, second + 1, second + 30):
        with pytest.raises(header.Undecodable, match=r"its next page is at \d+, but the file|its header is cut off"):
            header.read(whole[:end])


def test_pixels_that_are_split_into_many_chunks_are_read() -> None:
    content = zlib.compress(bytes(40 * 181))
    parts = b"".join(png_chunk(b"IDAT", content[at : at + 1]) for at in range(len(content)))
    data = png(60, 40)[:33] + png_chunk(b"IDAT", b"") + parts + png_chunk(b"IEND", b"")
    assert header.read(data).height == 40


def test_a_thumbnails_size_is_not_taken_for_the_images() -> None:
    exif = Image.Exif()
    small = io.BytesIO()
    picture().resize((16, 12)).save(small, "JPEG")
    exif[0x010E] = "x"
    data = pillow(picture(), "JPEG", exif=exif.tobytes() + small.getvalue())
    assert (header.read(data).width, header.read(data).height) == (seeds.WIDTH, seeds.HEIGHT)
