"""HEIF and AVIF, written and read by pillow-heif and Pillow themselves."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from semseg_client.inputs import heif as module
from semseg_client.inputs.heif import AVIF, HEIF, converted, installed
from semseg_client.inputs.pages import NoImage
from tests.fuzz.seeds import picture, pillow

pillow_heif.register_heif_opener()
FORMATS = {HEIF: "HEIF", AVIF: "AVIF"}
KINDS = list(FORMATS)


def written(kind: str, mode: str = "RGB", **options: object) -> bytes:
    return pillow(picture(mode), FORMATS[kind], quality=95, **options)


def pixels(kind: str, data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(converted(data, kind), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(np.int16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_is_applied_once(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(pillow(picture(), "PNG", exif=exif)))))
    found = pixels(kind, written(kind, exif=exif.tobytes()))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6  # these kinds lose colours; a wrong turn is off by 60


def test_exif_that_repeats_the_files_own_orientation_turns_nothing_again() -> None:
    """As iPhones write it: irot, and EXIF 6 beside it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = written(HEIF, exif=exif.tobytes())
    assert b"irot" in data
    assert pillow_heif.open_heif(io.BytesIO(data)).info["exif"].endswith(exif.tobytes().removeprefix(b"Exif\0\0"))
    assert pixels(HEIF, data).shape == (60, 40, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_grey_becomes_three_channels_and_alpha_is_dropped(kind: str, mode: str) -> None:
    expected = np.asarray(picture("L").convert("RGB") if mode == "L" else picture())
    assert np.abs(pixels(kind, written(kind, mode)) - expected).mean() < 6


def test_ten_bits_become_eight() -> None:
    deep = (np.asarray(picture()).astype(np.uint16) * 257).tobytes()
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", picture().size, deep).save(file, quality=95)
    assert np.abs(pixels(HEIF, file.getvalue()) - np.asarray(picture())).mean() < 6


def test_grey_of_ten_bits_becomes_eight() -> None:
    grey = np.asarray(picture("L"))
    data = pillow(Image.fromarray(grey.astype(np.uint16) * 257), "HEIF", quality=95)
    assert pillow_heif.open_heif(io.BytesIO(data)).mode == "I;16"
    assert np.abs(pixels(HEIF, data) - grey[..., np.newaxis]).mean() < 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_a_truncated_file_is_told_in_one_line(kind: str, share: float) -> None:
    whole = written(kind)
    with pytest.raises(NoImage) as refused:
        converted(whole[: int(len(whole) * share)], kind)
    assert str(refused.value).startswith(f"cannot be decoded as {kind}: ")
    assert "\n" not in str(refused.value)


def without_a_time_scale() -> bytes:
    data = written(AVIF, save_all=True, append_images=[picture("L").convert("RGB")])
    at = data.index(b"mdhd") + 24
    return data[:at] + bytes(4) + data[at + 4 :]


@pytest.mark.parametrize(("kind", "data"), [(HEIF, written(HEIF).replace(b"hvcC", b"none")), (AVIF, without_a_time_scale())])
def test_damage_that_a_decoder_does_not_expect_is_told_in_one_line(kind: str, data: bytes) -> None:
    """An IndexError in pillow-heif, a ZeroDivisionError in Pillow."""
    with pytest.raises(NoImage, match=rf"^cannot be decoded as {re.escape(kind)}: (list index out of range|division by zero)$"):
        converted(data, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_of_too_many_pixels_is_not_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 2399)
    with pytest.raises(NoImage, match="has more than 2399 pixels: 60x40"):
        converted(written(kind), kind)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(HEIF)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert not installed(HEIF)
    with pytest.raises(NoImage, match=r"^is HEIF \(HEIC\); to read it: pip install 'paddle-semseg-client\[heif\]'$"):
        converted(data, HEIF)
