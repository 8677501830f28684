"""What is sent to the server, and the hint about 10- and 12-bit samples."""

from __future__ import annotations

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


@pytest.mark.parametrize("tags", [{262: 0}, {277: 2, 338: 1}], ids=["white is 0", "grey and alpha"])
def test_samples_that_opencv_reads_in_two_ways_are_not_scaled(tags: dict[int, int]) -> None:
    """With two bytes, it does not invert the one, and it reads the other as single bytes."""
    samples = tags.get(277, 1)
    pixels = np.repeat(EIGHT[..., :1].astype(np.uint16) << 4, samples, axis=2).tobytes()
    basic = {256: 60, 257: 40, 258: 16, 259: 1, 262: 1, 277: 1, 278: 40, 279: len(pixels), **tags}
    data = tiff({tag: (value,) for tag, value in basic.items()}, pixels)
    assert servable(data) == (data, "")
    with pytest.raises(NoImage, match=r"^cannot be scaled: save it as grey or RGB"):
        servable(data, 12)


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
