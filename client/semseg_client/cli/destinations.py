"""Destinations for results other than a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..errors import UnwritableOutput
from ..files import write_whole
from ..inputs.resolve import Item, Source, Unreadable, images
from ..results.outputs import Output

if TYPE_CHECKING:
    from ..results.result import Result


class NoFiles:
    """Saves nothing: results are only reported."""

    skipped = 0
    resumable = False

    def remaining(self, items: Iterable[Item]) -> Iterator[Source | Unreadable]:
        return chain.from_iterable(map(images, items))

    def save(self, found: Result) -> list[Path]:  # noqa: ARG002
        return []


def only_image(items: Iterable[Item], path: Path, option: str) -> list[Source | Unreadable]:
    """The only image of `items`, which is to be written to `path`, or why there is none; a list, like the items themselves.

    Raises:
        typer.BadParameter: there are several images.
    """
    found = list(islice(chain.from_iterable(map(images, items)), 2))
    if len(found) == 2:
        what = "'-'" if path == Path("-") else f"'{path}' is a file, and"
        raise typer.BadParameter(f"{what} allows only one image, but the input has several", param_hint=option)
    return found


def output_of(path: Path, asked: Sequence[Output] | None = None) -> Output | None:
    """What to write to `path`, if it names a single file and not a folder: judged by its suffix, among the kinds asked for."""
    from ..results.picture import FORMATS  # Pillow

    suffixes = {
        Output.PICTURE: FORMATS.keys(),
        Output.JSON: {".json"},
        Output.IDS: {".png"},
        Output.OVERLAY: FORMATS.keys(),
        Output.POLYGONS: {".geojson", ".json"},
    }
    if path.is_dir():
        return None
    kinds = asked or (Output.PICTURE, Output.JSON, Output.POLYGONS)
    return next((kind for kind in kinds if path.suffix.lower() in suffixes[kind]), None)


class OneFile(NoFiles):
    """Writes a single image's file to `path`. Its suffix must fit the output."""

    def __init__(self, path: Path, output: Output, *, compact: bool = False) -> None:
        self._path = path
        self._output = output
        self._compact = compact

    def save(self, found: Result) -> list[Path]:
        from ..results.render import render  # Pillow and OpenCV

        content = render(replace(found, suffix=self._path.suffix), self._output, self._compact)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, content)
        except OSError as error:
            raise UnwritableOutput(f"{self._path} cannot be written: {error.strerror}") from None
        return [self._path]


class StandardOutput(NoFiles):
    """Writes a single image's file to standard output."""

    def __init__(self, output: Output, *, compact: bool = False) -> None:
        self._output = output
        self._compact = compact

    def save(self, found: Result) -> list[Path]:
        from ..results.render import render  # Pillow and OpenCV

        sys.stdout.buffer.write(render(found, self._output, self._compact))
        sys.stdout.buffer.flush()
        return []
