from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from semseg_client.results.picture import FORMATS, encoded

PIXELS = np.random.default_rng(0).integers(0, 2, (8, 12, 1), np.uint8) * np.array([200, 100, 0], np.uint8)


@pytest.mark.parametrize("kind", sorted(set(FORMATS.values()) - {"JPEG"}))
def test_every_format_but_jpeg_keeps_the_colours(kind: str) -> None:
    with Image.open(io.BytesIO(encoded(Image.fromarray(PIXELS), kind))) as picture:
        assert picture.format == kind
        assert np.array_equal(np.asarray(picture.convert("RGB")), PIXELS)


def test_options_are_pillow_s() -> None:
    picture = Image.fromarray(PIXELS)
    assert len(encoded(picture, "JPEG", quality=10)) < len(encoded(picture, "JPEG", quality=95))
