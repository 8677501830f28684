"""Decoding as PaddleX decodes: against cv2.imread's own answer, for every kind of file; and what is refused."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).parents[3]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


image = load(ROOT / "model_repository/preprocess/1/image.py")


def scene(height: int = 40, width: int = 60, channels: int = 3, depth: type = np.uint8) -> NDArray[np.generic]:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, np.iinfo(depth).max, (5, 6, channels)).astype(depth)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


def pillow(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded(suffix: str, pixels: NDArray[np.generic]) -> bytes:
    return bytes(cv2.imencode(suffix, pixels)[1])


def oriented(turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return pillow(Image.fromarray(scene()), "JPEG", exif=exif, quality=95)


FILES = {
    "jpeg": encoded(".jpg", scene()),
    "jpeg, progressive": pillow(Image.fromarray(scene()), "JPEG", progressive=True),
    "jpeg, grey": pillow(Image.fromarray(scene()).convert("L"), "JPEG"),
    "jpeg, cmyk": pillow(Image.fromarray(scene()).convert("CMYK"), "JPEG"),
    "jpeg, with bytes behind its end": encoded(".jpg", scene()) + b"trailer",
    **{f"jpeg, EXIF orientation {turn}": oriented(turn) for turn in range(1, 9)},
    "png": encoded(".png", scene()),
    "png, 16 bit": encoded(".png", scene(depth=np.uint16)),
    "png, grey": encoded(".png", scene(channels=1)),
    "png, 16-bit grey": encoded(".png", scene(channels=1, depth=np.uint16)),
    "png, alpha": encoded(".png", scene(channels=4)),
    "png, palette": pillow(Image.fromarray(scene()).quantize(16), "PNG"),
    "png, palette with transparency": pillow(Image.fromarray(scene()).quantize(16), "PNG", transparency=3),
    "png, one bit": pillow(Image.fromarray(scene()).convert("1"), "PNG"),
    "bmp": encoded(".bmp", scene()),
    "webp": encoded(".webp", scene()),
    "tiff": encoded(".tiff", scene()),
    "tiff, 16 bit": encoded(".tiff", scene(depth=np.uint16)),
    "ppm": encoded(".ppm", scene()),
    "pgm": encoded(".pgm", scene(channels=1)),
    "sun raster": encoded(".ras", scene()),
    "one pixel": encoded(".png", scene(1, 1)),
}


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_cv2_imread_in_rgb(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(FILES[kind])
    expected = cv2.imread(str(file), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(image.decode(FILES[kind]), expected)


def test_exif_orientation_turns_the_image() -> None:
    assert image.decode(oriented(6)).shape == (60, 40, 3)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg, progressive", "jpeg, EXIF orientation 6", "png", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = FILES[kind]
    with pytest.raises(image.BadRequest, match=r"^image: "):
        image.decode(whole[: int(len(whole) * share)])


def test_a_truncated_jpeg_with_a_whole_thumbnail_inside_is_refused() -> None:
    exif = b"Exif\0\0" + encoded(".jpg", scene(8, 8))
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    whole = FILES["jpeg"][:2] + segment + FILES["jpeg"][2:]
    assert image.decode(whole).shape == (40, 60, 3)
    with pytest.raises(image.BadRequest, match="truncated"):
        image.decode(whole[:-30])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just text", "cannot be decoded"),
        (b"\xff\xd8\xff", "truncated"),
        (b"GIF89a" + bytes(40), "cannot be decoded"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(image.BadRequest, match=rf"^image: .*{reason}"):
        image.decode(data)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ((1024, 2048), (512, 512), (256, 512)),
        ((1024, 2048), (1024, 2048), (1024, 2048)),
        ((1024, 2048), (2048, 1024), (1024, 2048)),
        ((667, 1001), (300, 300), (224, 320)),
        ((10, 10), (1, 1), (32, 32)),
    ],
)
def test_target_size_keeps_proportions_and_rounds_up_to_32(
    source: tuple[int, int], target: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert image.fit(np.zeros((*source, 3), np.uint8), target).shape == (*expected, 3)


@pytest.mark.parametrize(("value", "sides"), [(512, (512, 512)), ("512", (512, 512)), ("512,1024", (512, 1024))])
def test_target_size_is_an_integer_or_two(value: object, sides: tuple[int, int]) -> None:
    assert image.target(value) == sides


@pytest.mark.parametrize("value", [0, -1, "", "a", "1,2,3", "512,0", 1.5, True, 16385, "9" * 400])
def test_a_wrong_target_size_is_refused_by_name(value: object) -> None:
    with pytest.raises(image.BadRequest, match=r"^target_size: "):
        image.target(value)
