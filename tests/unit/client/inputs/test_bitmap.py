from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from semseg_client.inputs.bitmap import bmp


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def decoded(content: bytes) -> NDArray[Any]:
    """As the server's `preprocess` decodes it, except for the channel order."""
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 33])
def test_colours_come_back_bit_by_bit_at_every_width(width: int) -> None:
    pixels = noise(7, width, 3)
    assert np.array_equal(decoded(bmp(pixels)), pixels)


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1)])
def test_grey_becomes_three_equal_channels(shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    assert np.array_equal(decoded(bmp(pixels)), np.dstack([pixels] * 3))


def test_alpha_is_dropped_as_it_is_from_a_png_file() -> None:
    pixels = noise(7, 5, 4)
    png = cv2.imencode(".png", pixels)[1].tobytes()
    assert np.array_equal(decoded(bmp(pixels)), pixels[..., :3])
    assert np.array_equal(decoded(bmp(pixels)), decoded(png))


def test_a_view_of_pixels_comes_back_as_it_is_seen() -> None:
    view = noise(20, 30, 3)[::-2, 3:17:3, ::-1]
    assert np.array_equal(decoded(bmp(view)), view)


def test_pixels_of_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="pixels must be uint8, not uint16"):
        bmp(np.full((4, 4), 256, np.uint16))
