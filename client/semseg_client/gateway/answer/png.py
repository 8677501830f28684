"""The class ids as a PNG with a palette."""

from __future__ import annotations

from ...results.picture import encoded, indexed
from ...types import Segmentation


def png(segmentation: Segmentation) -> bytes:
    """As `Result.save_to_png` writes it."""
    return encoded(indexed(segmentation.label_map, segmentation.palette), "PNG")
