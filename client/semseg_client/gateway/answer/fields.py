"""The fields of the result in PaddleX's envelope."""

from __future__ import annotations

import io
from typing import Any

import pybase64
from PIL import Image

from ...results.legend import legend
from ...results.polygons import borders, feature_collection
from ...types import Drawing, Segmentation
from ..failures import invalid
from ..request import ImageRequest
from ..segmenter import Found
from .ids import id_list
from .png import png

# Pixel edges between classes. A two-megapixel street scene has a tenth of this, a megapixel of noise two million.
MOST_BORDERS = 500_000


def content(found: Found, asked: ImageRequest) -> dict[str, Any]:
    """`size` and the requested fields; the label map is already JSON.

    Raises:
        Invalid: the outlines would take too much memory and time.
    """
    wanted = asked.options.wanted
    if isinstance(found, Drawing):
        width, height = Image.open(io.BytesIO(found.picture)).size
        return {"size": (height, width), "image": pybase64.b64encode_as_string(found.picture)}
    told: dict[str, Any] = {}
    if "labelMap" in wanted:
        told["labelMap"] = id_list(found.label_map)
    told["size"] = found.size
    if found.picture is not None:
        told["image"] = pybase64.b64encode_as_string(found.picture)
    if "png" in wanted:
        told["png"] = pybase64.b64encode_as_string(png(found))
    if wanted & {"classes", "polygons"}:
        classes = legend(found)
        if "classes" in wanted:
            told["classes"] = [
                {"id": each.id, "name": each.name, "colour": each.hex, "pixels": each.pixels, "share": each.share}
                for each in classes
            ]
        if "polygons" in wanted:
            _check_borders(found, asked)
            told["polygons"] = feature_collection(found.label_map, classes)
    return told


def _check_borders(segmentation: Segmentation, asked: ImageRequest) -> None:
    if borders(segmentation.label_map) > MOST_BORDERS:
        told = f"too scattered for polygons: more than {MOST_BORDERS} pixel edges between classes; use png instead"
        raise invalid(f"{asked.options_at}.outputs", told, asked.options.log_id)
