"""The kinds of files that a result can be saved as."""

from __future__ import annotations

from enum import Enum


class Output(str, Enum):
    """A kind of file; the values are the names on the command line."""

    PICTURE = "picture"  # NAME_res.jpg, or the image's own suffix
    JSON = "json"  # NAME_res.json
    IDS = "ids"  # NAME_ids.png
    OVERLAY = "overlay"  # NAME_overlay.jpg, or the image's own suffix
    POLYGONS = "polygons"  # NAME_polygons.geojson


PADDLEX = (Output.PICTURE, Output.JSON)
