"""What is sent to the server, and the hint about 10- and 12-bit samples."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from semseg_client.inputs.pages import NoImage
from semseg_client.inputs.servable import servable
from tests.fuzz.seeds import encoded, oriented, scene, seeds, tiff

EIGHT = scene()
SUFFIXES = [".png", ".tif", ".ppm"]


def deep(suffix: str, bits: int, grey: bool = False) -> bytes:
    """EIGHT in samples of `bits` bits, in a file of 16-bit samples."""
    pixels = EIGHT.astype(np.uint16) << (bits - 8)
    return encoded(".pgm" if grey and suffix == ".ppm" else suffix, pixels[..., 0] if grey else pixels)


def decoded(data: bytes) -> NDArray[np.uint8]:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_samples_of_fewer_bits_are_scaled_to_eight(suffix: str, bits: int) -> None:
    content, hint = servable(deep(suffix, bits), bits)
    assert not hint
    tolerance = 1 if bits == 16 else 0  # libtiff rounds 16 bits
    assert np.abs(decoded(content).astype(int) - EIGHT).max() <= tolerance
    grey = decoded(servable(deep(suffix, bits, grey=True), bits)[0])
    np.testing.assert_array_equal(grey, np.repeat(EIGHT[..., :1], 3, axis=2))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("bits", "hinted"), [(9, 10), (10, 10), (11, 12), (12, 12), (13, None), (16, None)])
def test_an_almost_black_image_is_hinted_at_and_sent_as_it_is(suffix: str, bits: int, hinted: int | None) -> None:
    data = deep(suffix, bits)
    content, hint = servable(data)
    assert content is data
    largest = int(EIGHT.max()) << (bits - 8)
    told = f"its largest 16-bit sample is {largest}, so the network sees it almost black; if its samples have {hinted} bits,"
    assert hint == (f"{told} pass --bits {hinted} (in Python, bits={hinted})" if hinted else "")


def test_a_black_image_is_just_black() -> None:
    assert servable(encoded(".png", np.zeros((4, 4), np.uint16)))[1] == ""


def test_a_sample_of_more_bits_is_told() -> None:
    with pytest.raises(NoImage, match=r"^has a sample of \d+, which needs 12 bits, not 10$"):
        servable(deep(".png", 12), 10)


def odd_tiff(pixels: NDArray[np.integer[Any]], **more: int) -> bytes:
    """Grey, or RGB(A) in one strip per plane if tag 284 is 2."""
    samples = pixels.shape[2]
    tags = {256: (60,), 257: (40,), 258: (16,) * samples, 259: (1,), 262: (1 if samples < 3 else 2,), 277: (samples,), 278: (40,)}
    tags |= {int(tag[1:]): (value,) for tag, value in more.items()}
    strips = samples if more.get("t284") == 2 else 1
    size = pixels.nbytes // strips
    stored = pixels.transpose(2, 0, 1) if strips > 1 else pixels
    return tiff({**tags, 273: tuple(8 + size * strip for strip in range(strips)), 279: (size,) * strips}, stored.tobytes())


TWELVE = EIGHT.astype(np.uint16) << 4
GREY = TWELVE[..., :1]
SIXTEEN = EIGHT.astype(np.uint16) * 257
# OpenCV inverts samples of one byte where white is 0, but not those of two; it reads grey with alpha as single bytes, only the
# first of separate planes, and 12-bit alpha as almost transparent.
ODD = {
    "white is 0": (odd_tiff(4095 - GREY, t262=0), "white"),
    "grey and alpha": (odd_tiff(np.dstack([GREY, GREY]), t338=1), "black"),
    "separate planes": (odd_tiff(TWELVE, t284=2), "black"),
    "alpha of 12 bits": (odd_tiff(np.dstack([TWELVE, np.full_like(GREY, 4095)]), t338=2), "black"),
}


@pytest.mark.parametrize("kind", ODD)
def test_samples_that_opencv_reads_in_two_ways_are_hinted_at_but_not_scaled(kind: str) -> None:
    data, colour = ODD[kind]
    content, hint = servable(data)
    assert content is data
    assert hint.startswith(
        f"the network sees it almost {colour}; if its 16-bit samples have 10 or 12 bits, save it as grey or RGB, "
    )
    with pytest.raises(
        NoImage, match=r"^cannot be scaled: save it as grey or RGB, pixel by pixel \(not in separate planes\), without"
    ):
        servable(data, 12)
    assert servable(data, 16) == (data, "")


@pytest.mark.parametrize(
    "data",
    [
        odd_tiff(65535 - SIXTEEN[..., :1], t262=0),
        odd_tiff(np.zeros_like(GREY), t262=0),
        odd_tiff(SIXTEEN, t284=2),
        odd_tiff(np.dstack([SIXTEEN, np.full_like(GREY, 30_000)]), t338=2),
    ],
    ids=["white is 0", "blank", "separate planes", "alpha"],
)
def test_samples_of_sixteen_bits_need_no_hint(data: bytes) -> None:
    assert servable(data) == (data, "")


def pnm(kind: int, largest: int, pixels: NDArray[np.integer[Any]]) -> bytes:
    stored = (
        " ".join(map(str, pixels.ravel())).encode() if kind < 4 else pixels.astype(">u2" if largest > 255 else "u1").tobytes()
    )
    return b"P%d 60 40 %d\n" % (kind, largest) + stored + b"\n"


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_a_pnm_that_tells_its_bits_is_scaled_only_if_asked(kind: int, bits: int) -> None:
    pixels = (EIGHT[..., ::-1] if kind in (3, 6) else EIGHT[..., :1]).astype(np.uint16) << (bits - 8)
    largest = (1 << bits) - 1
    data = pnm(kind, largest, pixels)
    with pytest.raises(
        NoImage, match=rf"^its samples go up to {largest}, not 65535, .*: pass --bits {bits} \(in Python, bits={bits}\)$"
    ):
        servable(data)
    scaled = decoded(servable(data, bits)[0])
    np.testing.assert_array_equal(scaled, EIGHT if kind in (3, 6) else np.repeat(EIGHT[..., :1], 3, axis=2))


def test_a_pnm_that_no_number_of_bits_fits_is_told_what_to_do() -> None:
    data = pnm(5, 40_000, EIGHT[..., :1])
    with pytest.raises(NoImage, match=r"^its samples go up to 40000, .*: scale them to 65535$"):
        servable(data)
    assert servable(data, 16) == (data, "")  # the server refuses it


@pytest.mark.parametrize("kind", [kind for kind in seeds() if "16" not in kind])
@pytest.mark.parametrize("bits", [None, 12])
def test_images_of_eight_bits_are_left_alone(kind: str, bits: int | None) -> None:
    data = seeds()[kind]
    assert servable(data, bits) == (data, "")


@pytest.mark.parametrize("content", [b"", b"x", b"\x89PNG\r\n\x1a\n", deep(".png", 12)[:-40], deep(".tif", 12)[:-400]])
def test_what_cannot_be_decoded_is_left_to_the_server_to_tell(content: bytes) -> None:
    assert servable(content, 12) == (content, "")


def test_exif_turns_a_deep_png_once() -> None:
    turned, plain = oriented(6, "PNG"), oriented(1, "PNG")
    exif = turned[33 : turned.index(b"IDAT") - 4]
    assert exif != plain[33 : plain.index(b"IDAT") - 4]
    data = deep(".png", 12)
    data = data[:33] + exif + data[33:]
    np.testing.assert_array_equal(decoded(servable(data, 12)[0]), np.rot90(EIGHT, -1))
