"""The kinds of files that a result can be saved as."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import Result


class Output(str, Enum):
    """A kind of file, by the name that it has on the command line."""

    PICTURE = "picture"  # NAME_res.jpg, or as the image's own suffix is
    JSON = "json"  # NAME_res.json
    IDS = "ids"  # NAME_ids.png
    OVERLAY = "overlay"  # NAME_overlay.jpg, or as the image's own suffix is
    POLYGONS = "polygons"  # NAME_polygons.geojson


PADDLEX = (Output.PICTURE, Output.JSON)


def save(found: Result, outputs: Iterable[Output], folder: Path, compact: bool = False) -> list[Path]:
    """Save a result as each of `outputs`; gives the files. `compact` leaves white space out of the JSON file.

    Raises:
        OSError: a file cannot be written.
        ValueError: the result cannot be of this kind, as a picture that is too large for its format.
    """
    return [_save(found, output, folder, compact) for output in outputs]


def _save(found: Result, output: Output, folder: Path, compact: bool) -> Path:
    match output:
        case Output.PICTURE:
            return found.save_to_img(folder)
        case Output.JSON:
            return found.save_to_json(folder, compact=compact)
        case Output.IDS:
            return found.save_to_png(folder)
        case Output.OVERLAY:
            return found.save_to_overlay(folder)
        case Output.POLYGONS:
            return found.save_to_geojson(folder)
