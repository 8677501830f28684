"""Renders a result as the content of a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .outputs import Output
from .picture import FORMATS, encoded, indexed
from .result_json import document

if TYPE_CHECKING:
    from .result import Result


def file_name(found: Result, output: Output) -> str:
    """The name of the file in which `output` of a result is saved."""
    suffix = picture_suffix(found.suffix)
    endings = {
        Output.PICTURE: f"res{suffix}",
        Output.JSON: "res.json",
        Output.IDS: "ids.png",
        Output.OVERLAY: f"overlay{suffix}",
        Output.POLYGONS: "polygons.geojson",
    }
    return f"{found.name}_{endings[output]}"


def render(found: Result, output: Output, compact: bool = False) -> bytes:
    """The content of the file in which `output` is saved. `compact` omits white space from JSON.

    Raises:
        ValueError: the result does not fit this kind of file, for example a picture that is too large for its format.
    """
    kind = FORMATS[picture_suffix(found.suffix).lower()]
    match output:
        case Output.PICTURE:
            return picture(found, kind)
        case Output.JSON:
            return document(found.input_path, found.page_index, found.label_map, compact=compact)
        case Output.IDS:
            return encoded(indexed(found.label_map, found.segmentation.palette), "PNG")
        case Output.OVERLAY:
            return encoded(found.overlay(), kind)
        case Output.POLYGONS:
            return json.dumps(found.polygons(), ensure_ascii=False, separators=(",", ":")).encode()


def picture_suffix(suffix: str) -> str:
    """An image's own suffix, or ".png" if a picture cannot be saved with it."""
    return suffix if suffix.lower() in FORMATS else ".png"


def picture(found: Result, kind: str) -> bytes:
    """The classes in their colours. `kind` is Pillow's name for the format. A JPEG is the server's own, if it drew one."""
    if kind == "JPEG" and found.segmentation.picture is not None:
        return found.segmentation.picture
    return encoded(found.img["res"], kind)
