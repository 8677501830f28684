"""Every supported kind of file decodes as in PaddleX (compared with cv2.imread); others are refused."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.fuzz.seeds import encoded, oriented, pillow, scene, seeds, tiff

ROOT = Path(__file__).parents[3]


sys.path.insert(0, str(ROOT / "model_repository/preprocess/1"))  # as Triton does
image, prepare, transforms = import_module("image"), import_module("prepare"), import_module("transforms")
Preparation, Resize = transforms.Preparation, transforms.Resize


FILES = {**seeds(), "png, one pixel": encoded(".png", scene(1, 1)), "pnm, one pixel": b"P6 1 1 255 abc"}


def decoded(data: bytes) -> NDArray[np.uint8]:
    return image.rgb(image.decode(data, image.look(data)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", FILES)
def test_pixels_are_those_of_cv2_imread_in_rgb(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(FILES[kind])
    expected = cv2.imread(str(file), cv2.IMREAD_COLOR)[..., ::-1]
    if kind == "webp, EXIF orientation 6":  # OpenCV turns these only from about 4.12 on
        expected = np.rot90(cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION), -1)[..., ::-1]
    np.testing.assert_array_equal(decoded(FILES[kind]), expected)


@pytest.mark.parametrize(("extra", "grey"), [(0, 200), (1, 200), (2, 39)])
def test_only_unassociated_alpha_in_a_tiff_darkens_its_colours(extra: int, grey: int) -> None:
    """As in PaddleX: libtiff multiplies by it."""
    pixels = np.full((40, 60, 4), (200, 200, 200, 50), np.uint8).tobytes()
    tags = {256: (60,), 257: (40,), 258: (8,) * 4, 259: (1,), 262: (2,), 277: (4,), 278: (40,), 279: (9600,), 338: (extra,)}
    assert decoded(tiff(tags, pixels))[0, 0].tolist() == [grey] * 3


def test_a_plain_pnm_is_scaled_to_its_largest_value() -> None:
    assert decoded(b"P2 3 1 15 15 5 0\n").tolist() == [[[255] * 3, [85] * 3, [0] * 3]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_turns_the_image_whatever_its_kind(kind: str, turn: int) -> None:
    data = oriented(turn, kind)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"), np.int16)
    found = decoded(data)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 2  # decoders round differently; a wrong turn is off by 60


@pytest.mark.parametrize("options", [{"lossless": True}, {"save_all": True, "append_images": [Image.fromarray(scene())]}])
def test_exif_turns_a_webp_without_loss_and_the_first_picture_of_an_animated_one(options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = pillow(Image.fromarray(scene()), "WEBP", **options)
    turned = pillow(Image.fromarray(scene()), "WEBP", **options, exif=exif)
    np.testing.assert_array_equal(decoded(turned), np.rot90(decoded(plain), -1))


@pytest.mark.parametrize("exif", [b"", b"Exif", b"II*\0", b"II*\0\xff\xff\xff\xff", bytes(30), b"MM\0*\0\0\0\x08\0\1\1\x12\0\3"])
def test_a_webp_with_broken_exif_is_read_as_stored(exif: bytes) -> None:
    whole = oriented(6, "WEBP")
    start = whole.index(b"EXIF")
    data = whole[:start] + b"EXIF" + len(exif).to_bytes(4, "little") + exif + bytes(len(exif) % 2)
    assert decoded(data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]).shape == (40, 60, 3)


@pytest.mark.parametrize(
    "kind", ["jpeg", "jpeg, progressive", "jpeg, EXIF orientation 6", "png", "webp", "bmp", "tiff", "pnm, ppm", "sun raster"]
)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.98])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = FILES[kind]
    with pytest.raises(prepare.BadRequest, match=r"^image: (is empty|.* not a whole image)"):
        decoded(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"just text", "cannot be decoded"),
        (b"\xff\xd8\xff", "not a whole image"),
        (b"P5 1 1 15 a", "a PNM whose largest value is 15 would be read too dark; scale it to 255 or 65535"),
        (b"P6 1 1 4095 abcdef", "a PNM whose largest value is 4095 would be read too dark"),
        (b"P2 1 1 4095 7", "a PNM whose largest value is 4095 would be read too dark"),
        (b"GIF89a" + bytes(40), "cannot be decoded: it is GIF; send one of JPEG, PNG, BMP, WebP, TIFF, PNM, Sun raster"),
    ],
)
def test_what_is_no_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(prepare.BadRequest, match=rf"^image: .*{reason}"):
        decoded(data)


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
    assert prepare.prepared(Preparation().to(target), np.zeros((*source, 3), np.uint8)).shape == (*expected, 3)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], (40, 60)),
        ([Resize((512, 256), keep_ratio=False)], (256, 512)),
        ([Resize((500, 250), keep_ratio=False, size_divisor=None)], (250, 500)),
        ([Resize((500, 250), keep_ratio=False)], (256, 512)),
        ([Resize((90, 90), size_divisor=None)], (60, 90)),
    ],
)
def test_a_models_own_resize_is_width_by_height(steps: list[object], expected: tuple[int, int]) -> None:
    assert prepare.prepared(Preparation(tuple(steps)), np.zeros((40, 60, 3), np.uint8)).shape == (*expected, 3)


@pytest.mark.parametrize("interp", prepare.INTERPOLATIONS)
def test_colours_may_be_turned_after_the_resize(interp: str) -> None:
    own = Preparation((Resize((96, 64), keep_ratio=False, interp=interp),))
    np.testing.assert_array_equal(image.rgb(prepare.prepared(own, scene())), prepare.prepared(own, image.rgb(scene())))


@pytest.mark.parametrize("kind", ["png, animated", "png, animated with alpha"])
def test_of_an_animated_png_the_first_picture_is_read(kind: str) -> None:
    """As with OpenCV 4.10, which PaddleX 3.7.2 requires and which has no animation support."""
    frames = [Image.fromarray(scene(channels=4 if "alpha" in kind else 3)).rotate(90 * turn) for turn in (0, 1)]
    data = pillow(frames[0], "PNG", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decoded(data), decoded(pillow(frames[0], "PNG")))


@pytest.mark.parametrize("interp", transforms.INTERPOLATIONS)
def test_every_interpolation_of_paddlex_is_opencvs(interp: str) -> None:
    flag = getattr(cv2, f"INTER_{interp.removeprefix('BI')}")
    expected = cv2.resize(scene(), (96, 64), interpolation=flag)
    own = Preparation((Resize((96, 64), keep_ratio=False, interp=interp),))
    np.testing.assert_array_equal(prepare.prepared(own, scene()), expected)


def test_a_target_that_makes_a_huge_image_of_a_small_one_is_refused() -> None:
    with pytest.raises(transforms.Unfit, match=r"^Resize makes 16384x16384 of 1x1, over 33554432 pixels"):
        prepare.prepared(Preparation().to((16384, 16384)), np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize(("value", "sides"), [(512, (512, 512)), ("512", (512, 512)), ("512,1024", (512, 1024))])
def test_target_size_is_an_integer_or_two(value: object, sides: tuple[int, int]) -> None:
    assert prepare.target(value) == sides


@pytest.mark.parametrize("value", [0, -1, "", "a", "1,2,3", "512,0", 1.5, True, 16385, "9" * 400, "1_000", "64\n", "\u0661"])
def test_a_wrong_target_size_is_refused_by_name(value: object) -> None:
    with pytest.raises(prepare.BadRequest, match=r"^target_size: "):
        prepare.target(value)
