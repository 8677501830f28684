"""The fields of the result in PaddleX's envelope."""

from __future__ import annotations

import io
from collections.abc import Set as AbstractSet
from typing import Any

import pybase64
from PIL import Image

from ...results.legend import legend
from ...results.polygons import feature_collection
from ...types import Drawing
from ..schemas import Output
from ..segmenter import Found
from .ids import id_list
from .png import png


def content(found: Found, wanted: AbstractSet[Output]) -> dict[str, Any]:
    """`size` and the `wanted` fields; the label map is already JSON."""
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
            told["polygons"] = feature_collection(found.label_map, classes)
    return told
