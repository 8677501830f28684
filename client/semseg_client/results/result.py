"""What a pipeline yields for one image."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from ..files import write_whole
from ..inputs.pixels import decoded
from ..types import Segmentation
from .legend import ClassShare, legend
from .notebook import fragment
from .outputs import Output
from .picture import FORMATS, encoded, indexed
from .polygons import feature_collection
from .render import file_name, picture, render
from .result_json import document

Text = str  # aliases of types: inside the class, `str` is PaddleX's property
Content = dict[str, Any]
SavePath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Result(Mapping[str, Any]):
    """The segmentation of one image, with the methods of PaddleX 3.7.2's result and some more.

    `image` is the encoded image that was segmented, `input_path` where it came from, and `page_index` its page number if the file
    has several. Saved files are named after `name`, which includes the page, and `suffix` (".jpg", or "" for none).

    As in PaddleX, it is also a mapping: `input_path`, `page_index`, `input_img` (uint8 [H, W, 3] RGB), `pred` (int32 [1, H, W]).

    The methods that save take a folder, or the path of a file (recognised by its suffix). They create missing folders, return the
    path of the file, and never leave an incomplete file. They raise OSError if the file cannot be written.
    """

    segmentation: Segmentation
    image: bytes
    name: Text
    suffix: Text = ""
    input_path: Text | None = None
    page_index: int | None = None

    @property
    def label_map(self) -> npt.NDArray[np.uint8]:
        """The class id of every pixel, uint8 [H, W], read-only."""
        return self.segmentation.label_map

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.segmentation.size

    @property
    def model(self) -> Text:
        return self.segmentation.model

    @cached_property
    def classes(self) -> tuple[ClassShare, ...]:
        """The classes that are present, largest first."""
        return legend(self.segmentation)

    @property
    def json(self) -> Content:
        """PaddleX's {"res": {"input_path", "page_index", "pred"}}, with `pred` as lists [1][H][W]."""
        return {"res": {**self._origin(), "pred": [self.label_map.tolist()]}}

    @property
    def img(self) -> dict[Text, Image.Image]:
        """PaddleX's {"res": picture}: the classes in the colours of the palette, RGB."""
        return {"res": indexed(self.label_map, self.segmentation.palette).convert("RGB")}

    @property
    def str(self) -> Content:
        """What `print` prints: `json` with "..." for `pred`."""
        return {"res": {**self._origin(), "pred": "..."}}

    def print(
        self, json_format: bool = False, indent: int = 4, ensure_ascii: bool = False, *, format_json: bool | None = None
    ) -> None:
        """Print everything except the pixels.

        `json_format` (`format_json` in PaddleX's tutorial) prints JSON; `indent` and `ensure_ascii` apply only to that.
        """
        if json_format if format_json is None else format_json:
            print(json.dumps(self.str, indent=indent, ensure_ascii=ensure_ascii))
        else:
            print(self.str)

    def save_to_img(self, save_path: SavePath) -> Path:
        """Save the picture `img`; in a folder as NAME_res with the image's suffix, or .png if that is not a picture format.

        A JPEG is the server's own, if the server drew one.
        """
        path = _file(save_path, FORMATS, file_name(self, Output.PICTURE))
        return _write(path, picture(self, FORMATS[path.suffix.lower()]))

    def save_to_json(
        self, save_path: SavePath, indent: int | None = 4, ensure_ascii: bool = False, compact: bool = False
    ) -> Path:
        """Save `json`; in a folder as NAME_res.json.

        Each row of pixels is one line (PaddleX writes one line per pixel). `compact` omits all white space.
        """
        path = _file(save_path, {".json"}, file_name(self, Output.JSON))
        return _write(path, document(self.input_path, self.page_index, self.label_map, indent, ensure_ascii, compact))

    def save_to_png(self, save_path: SavePath) -> Path:
        """Save the class ids losslessly; in a folder as NAME_ids.png.

        The PNG has mode "P": viewers show the palette's colours, and np.asarray(Image.open(path)) is the label map.
        """
        return _write(_file(save_path, {".png"}, file_name(self, Output.IDS)), render(self, Output.IDS))

    def save_to_overlay(self, save_path: SavePath, alpha: float = 0.5) -> Path:
        """Save the `overlay`; in a folder as NAME_overlay with the image's suffix, or .png if that is not a picture format."""
        path = _file(save_path, FORMATS, file_name(self, Output.OVERLAY))
        return _write(path, encoded(self.overlay(alpha), FORMATS[path.suffix.lower()]))

    def save_to_geojson(self, save_path: SavePath) -> Path:
        """Save the `polygons`; in a folder as NAME_polygons.geojson."""
        path = _file(save_path, {".geojson", ".json"}, file_name(self, Output.POLYGONS))
        return _write(path, render(self, Output.POLYGONS))

    def save_all(self, save_path: SavePath) -> tuple[Path, Path]:
        """`save_to_img` and `save_to_json`, for a folder."""
        return self.save_to_img(save_path), self.save_to_json(save_path)

    def overlay(self, alpha: float = 0.5) -> Image.Image:
        """The image blended with the classes' colours, RGB. `alpha` 0 gives the image, 1 the colours.

        Raises ValueError if `alpha` is outside that range, or if the image cannot be decoded here.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be from 0 (the image) to 1 (the classes' colours), not {alpha}")
        return Image.blend(Image.fromarray(self._pixels()), self.img["res"], alpha)

    def polygons(self) -> Content:
        """The outlines of the classes as a GeoJSON FeatureCollection: a MultiPolygon for each class, largest first.

        Coordinates are in pixels from the image's upper left corner, x to the right and y down. They are at the corners of
        pixels, so the area of a class is its number of pixels. The properties are `id`, `name`, `colour` (#rrggbb) and `pixels`.
        """
        return feature_collection(self.label_map, self.classes)

    def __getitem__(self, key: Text) -> Any:
        if key == "input_img":
            return self._pixels()
        if key == "pred":
            return self.label_map[np.newaxis].astype(np.int32)
        return self._origin()[key]

    def __iter__(self) -> Iterator[Text]:
        return iter(("input_path", "page_index", "input_img", "pred"))

    def __len__(self) -> int:
        return 4

    __eq__ = object.__eq__  # Mapping's would compare arrays
    __hash__ = object.__hash__

    def __repr__(self) -> Text:
        height, width = self.size
        found = ", ".join(f"{each.name} {each.share:.1%}" for each in self.classes[:3])
        more = ", ..." if len(self.classes) > 3 else ""
        return f"<Result {self.name}, {width}x{height}, {self.model}: {found}{more}>"

    def _repr_html_(self) -> Text:
        height, width = self.size
        pictures = [
            (f"{self.name}{self.suffix}, {width}x{height}", Image.fromarray(self._pixels())),
            (self.model, self.overlay()),
        ]
        return fragment(pictures, self.classes)

    def _origin(self) -> Content:
        return {"input_path": self.input_path, "page_index": self.page_index}

    def _pixels(self) -> npt.NDArray[np.uint8]:
        """The image as the server decoded it."""
        pixels = decoded(self.image)
        if pixels is None:
            raise ValueError(f"{self.name}{self.suffix}: the image cannot be decoded here")
        return cast(npt.NDArray[np.uint8], cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _file(save_path: SavePath, suffixes: Mapping[str, str] | set[str], name: str) -> Path:
    """`save_path` if its suffix is that of a file, else `name` in that folder."""
    path = Path(save_path)
    return path if path.suffix.lower() in suffixes and not path.is_dir() else path / name


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path
