"""Small images of every kind that the service reads, in all variants that OpenCV, Pillow and the code below can write."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 40, 60
Pixels = NDArray[np.integer[Any]]


def scene(height: int = HEIGHT, width: int = WIDTH, channels: int = 3, depth: type = np.uint8) -> Pixels:
    rng = np.random.default_rng(7)
    coarse: Pixels = rng.integers(0, np.iinfo(depth).max, (5, 6, channels)).astype(depth)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)  # type: ignore


def pillow(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded(suffix: str, pixels: Pixels, *flags: int) -> bytes:
    return bytes(cv2.imencode(suffix, pixels, list(flags))[1])


def picture(mode: str = "RGB") -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(scene(channels=1, depth=np.uint16)[..., 0])
    return Image.fromarray(scene()).convert(mode)


def frames() -> list[Image.Image]:
    return [picture().rotate(90 * turn) for turn in (0, 2, 1)]


def oriented(turn: int, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    if kind == "TIFF":
        return pillow(picture(), kind, tiffinfo=exif)
    return pillow(picture(), kind, exif=exif, quality=95)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, bits: int = 8, colour: int = 2, *, pixels: bytes | None = None, before: bytes = b"") -> bytes:
    """A black PNG, or one with `pixels`, which are already compressed."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    content = zlib.compress(bytes(height * (1 + -(-width * samples * bits // 8))), 9) if pixels is None else pixels
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + png_chunk(b"IDAT", content) + png_chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, ...]], strip: bytes = b"", *, order: str = "<", extra: bytes = b"") -> bytes:
    """A TIFF of one directory; all values are LONG. Without offsets (tag 273 or 324), it points to `strip`."""
    where = 324 if 322 in tags else 273
    tags = {**tags, where: tags.get(where, (8,))}
    at = 8 + len(strip) + len(strip) % 2
    values_at = at + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, value in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(value)}I", *value)
        entries += struct.pack(f"{order}HHI", tag, 4, len(value))
        entries += packed if len(value) == 1 else struct.pack(f"{order}I", values_at + len(values))
        values += packed if len(value) > 1 else b""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return start + strip.ljust(at - 8, b"\0") + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values + extra


def grey_tiff(order: str = "<") -> bytes:
    pixels = scene(channels=1).tobytes()
    tags: dict[int, tuple[int, ...]] = {256: (WIDTH,), 257: (HEIGHT,), 258: (8,), 259: (1,), 262: (1,), 277: (1,), 278: (HEIGHT,)}
    return tiff({**tags, 279: (len(pixels),)}, pixels, order=order)


def tiled_tiff(columns: int = 2, rows: int = 2) -> bytes:
    """Tiles of 32x32, because OpenCV cannot read those of 16x16."""
    tile = scene(32, 32, 1).tobytes()
    tags: dict[int, tuple[int, ...]] = {256: (32 * columns,), 257: (32 * rows,), 258: (8,), 259: (1,), 262: (1,), 277: (1,)}
    tiles = columns * rows
    return tiff({**tags, 322: (32,), 323: (32,), 324: (8,) * tiles, 325: (len(tile),) * tiles}, tile)


def bmp_rle(bits: int) -> bytes:
    """Runs, a jump, and literal pixels."""
    rows = b"\x05\x11\x00\x03\x01\x02\x03\x00\x00\x00" if bits == 8 else b"\x05\x11\x00\x03\x12\x30\x00\x00"
    pixels = rows + b"\x08\x22\x00\x00" + b"\x00\x02\x03\x01\x05\x33\x00\x00\x00\x01"
    palette = bytes(range(256)) * (4 if bits == 8 else 1)
    palette = palette[: 4 << bits]
    offset = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 8, 4, 1, bits, 1 if bits == 8 else 2, len(pixels), 0, 0, 1 << bits, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + header + palette + pixels


def core_bmp() -> bytes:
    """A BMP with the OS/2 header."""
    pixels = scene(4, 5).tobytes()
    rows = b"".join(pixels[15 * row : 15 * row + 15] + b"\0" for row in range(4))
    return b"BM" + struct.pack("<IHHI", 26 + len(rows), 0, 0, 26) + struct.pack("<IHHHH", 12, 5, 4, 1, 24) + rows


def upside_down_bmp() -> bytes:
    whole = encoded(".bmp", scene())
    return whole[:22] + struct.pack("<i", -HEIGHT) + whole[26:]


def masked_bmp() -> bytes:
    pixels = scene(4, 4, 1, np.uint16).tobytes()
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 66 + len(pixels), 0, 0, 66) + header + struct.pack("<III", 0xF800, 0x7E0, 0x1F) + pixels


def plain(kind: int) -> bytes:
    """A plain PNM: its values are text."""
    values = scene(channels=1 if kind < 3 else 3).reshape(-1)
    if kind == 1:
        return b"P1\n# comment\n%d %d\n" % (WIDTH, HEIGHT) + b"".join(b"%d" % (value > 128) for value in values)
    return b"P%d %d\t%d\n# comment\r255\n" % (kind, WIDTH, HEIGHT) + b"".join(b"%d\n" % value for value in values)


def sun(bits: int, palette: bool = False) -> bytes:
    pitch = (-(-WIDTH * bits // 8) + 1) // 2 * 2
    colours = bytes(range(256)) * 3 if palette else b""
    pixels = np.random.default_rng(3).integers(0, 256, pitch * HEIGHT).astype(np.uint8).tobytes()
    header = struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, bits, len(pixels), 1, int(palette), len(colours))
    return header + colours + pixels


def seeds() -> dict[str, bytes]:
    """The images by name; a name begins with the kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about modes that it will drop
        return dict(_seeds())


def _seeds() -> Iterator[tuple[str, bytes]]:
    yield "jpeg", encoded(".jpg", scene())
    yield "jpeg, progressive", pillow(picture(), "JPEG", progressive=True)
    yield "jpeg, optimised", pillow(picture(), "JPEG", optimize=True)
    yield "jpeg, grey", pillow(picture("L"), "JPEG")
    yield "jpeg, cmyk", pillow(picture("CMYK"), "JPEG")
    yield "jpeg, 4:4:4", pillow(picture(), "JPEG", subsampling=0)
    yield "jpeg, restart markers", encoded(".jpg", scene(), cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
    yield "jpeg, colour profile of two segments", pillow(picture(), "JPEG", icc_profile=bytes(70_000))
    yield "jpeg, comment", pillow(picture(), "JPEG", comment=b"\xff\xd9\xff\xda")
    yield "jpeg, with bytes behind its end", encoded(".jpg", scene()) + b"trailer"
    yield "jpeg, several pictures", pillow(frames()[0], "MPO", save_all=True, append_images=frames()[1:])
    for turn in range(1, 9):
        yield f"jpeg, EXIF orientation {turn}", oriented(turn)
    yield "png", encoded(".png", scene())
    yield "png, 16 bit", encoded(".png", scene(depth=np.uint16))
    yield "png, grey", encoded(".png", scene(channels=1))
    yield "png, 16-bit grey", encoded(".png", scene(channels=1, depth=np.uint16))
    yield "png, alpha", encoded(".png", scene(channels=4))
    yield "png, grey with alpha", pillow(picture("LA"), "PNG")
    yield "png, palette", pillow(picture().quantize(16), "PNG")
    yield "png, palette with transparency", pillow(picture().quantize(16), "PNG", transparency=3)
    yield "png, one bit", pillow(picture("1"), "PNG")
    yield "png, two bits", pillow(picture().quantize(4), "PNG", bits=2)
    yield "png, interlaced", interlaced_png()
    yield "png, animated", pillow(frames()[0], "PNG", save_all=True, append_images=frames()[1:])
    yield "png, EXIF orientation 6", oriented(6, "PNG")
    yield "png, colour profile", pillow(picture(), "PNG", icc_profile=bytes(5000))
    yield "png, text", png(7, 5, before=png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"text")) + png_chunk(b"tEXt", b"a\0b"))
    yield "png, with bytes behind its end", encoded(".png", scene()) + b"trailer"
    yield "bmp", encoded(".bmp", scene())
    yield "bmp, grey", encoded(".bmp", scene(channels=1))
    yield "bmp, alpha", encoded(".bmp", scene(channels=4))
    yield "bmp, palette", pillow(picture().quantize(16), "BMP")
    yield "bmp, one bit", pillow(picture("1"), "BMP")
    yield "bmp, RLE8", bmp_rle(8)
    yield "bmp, RLE4", bmp_rle(4)
    yield "bmp, of OS/2", core_bmp()
    yield "bmp, from the top", upside_down_bmp()
    yield "bmp, 16 bits by masks", masked_bmp()
    yield "webp", encoded(".webp", scene())
    yield "webp, lossy", pillow(picture(), "WEBP", quality=50)
    yield "webp, lossy with alpha", pillow(picture("RGBA"), "WEBP", quality=50)
    yield "webp, lossless", pillow(picture(), "WEBP", lossless=True)
    yield "webp, lossless with alpha", pillow(Image.fromarray(scene(channels=4)), "WEBP", lossless=True)
    yield "webp, animated", pillow(frames()[0], "WEBP", save_all=True, append_images=frames()[1:])
    yield "webp, animated lossless", pillow(frames()[0], "WEBP", save_all=True, append_images=frames()[1:], lossless=True)
    yield "webp, EXIF orientation 6", oriented(6, "WEBP")
    yield "tiff", encoded(".tiff", scene())
    yield "tiff, 16 bit", encoded(".tiff", scene(depth=np.uint16))
    for mode in ("RGB", "L", "P", "RGBA", "LA", "CMYK", "I;16", "1"):
        yield f"tiff, {mode}", pillow(picture(mode), "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg"):
        yield f"tiff, {compression}", pillow(picture(), "TIFF", compression=compression)
    for compression in ("tiff_ccitt", "group3", "group4"):
        yield f"tiff, {compression}", pillow(picture("1"), "TIFF", compression=compression)
    yield "tiff, lzw with predictor", pillow(picture(), "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "tiff, several pages", pillow(frames()[0], "TIFF", save_all=True, append_images=frames()[1:])
    yield "tiff, big", pillow(picture(), "TIFF", big_tiff=True)
    yield "tiff, strips", pillow(picture(), "TIFF", strip_size=WIDTH * 3 * 4)
    yield "tiff, upside down", pillow(picture(), "TIFF", tiffinfo={274: 3})
    yield "tiff, little end first", grey_tiff("<")
    yield "tiff, big end first", grey_tiff(">")
    yield "tiff, tiles", tiled_tiff()
    yield "pnm, ppm", encoded(".ppm", scene())
    yield "pnm, pgm", encoded(".pgm", scene(channels=1))
    yield "pnm, pbm", encoded(".pbm", scene(channels=1))
    yield "pnm, ppm of 16 bit", encoded(".ppm", scene(depth=np.uint16))
    for kind in (1, 2, 3):
        yield f"pnm, P{kind}", plain(kind)
    yield "sun raster", encoded(".ras", scene())
    yield "sun raster, grey", encoded(".ras", scene(channels=1))
    for bits in (1, 24, 32):
        yield f"sun raster, {bits} bits", sun(bits)
    yield "sun raster, palette", sun(8, palette=True)


def interlaced_png() -> bytes:
    """Adam7: each pass is a small picture of its own."""
    pixels = scene()
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [row for top, left, down, across in passes for row in pixels[top::down, left::across]]
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1))
    content = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + content + png_chunk(b"IEND", b"")
