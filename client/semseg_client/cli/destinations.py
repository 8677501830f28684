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
from ..inputs.sieve import IMAGE_SUFFIXES
from ..results.outputs import Output

if TYPE_CHECKING:
    from ..results.result import Result

_NOT_WRITTEN = (".avif", ".heic", ".heif", ".jp2", ".jxl")  # images nevertheless, so nobody means a folder


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
        typer.BadParameter: there are several images, or `path` is the image itself.
    """
    found = list(islice(chain.from_iterable(map(images, items)), 2))
    if len(found) == 2:
        what = "'-'" if path == Path("-") else f"'{path}' is a file, and"
        raise typer.BadParameter(f"{what} allows only one image, but the input has several", param_hint=option)
    if any(_is_same(path, image.input_path) for image in found):
        raise typer.BadParameter(f"'{path}' is the input itself: choose another file", param_hint=option)
    return found


def _is_same(path: Path, given: str | None) -> bool:
    try:
        return given is not None and path.samefile(given)
    except OSError:  # one of them does not exist
        return False


def output_of(path: str, option: str, asked: Sequence[Output] | None = None) -> Output | None:
    """What to write to `path`, among the kinds asked for; None if it is a folder.

    It is a folder if there is one, if a slash ends it, or if its suffix is neither that of an image nor of JSON.

    Raises:
        typer.BadParameter: it is a file, but its suffix fits no kind asked for.
        UnwritableOutput: it cannot be looked up.
    """
    from ..results.picture import FORMATS  # Pillow

    suffixes = {
        Output.PICTURE: FORMATS.keys(),
        Output.JSON: {".json"},
        Output.IDS: {".png"},
        Output.OVERLAY: FORMATS.keys(),
        Output.POLYGONS: {".geojson", ".json"},
    }
    suffix = Path(path).suffix.lower()
    if suffix not in {*IMAGE_SUFFIXES, *_NOT_WRITTEN, *chain.from_iterable(suffixes.values())}:
        return None
    try:
        if path.endswith("/") or Path(path).is_dir():
            return None
    except OSError as error:
        raise UnwritableOutput(f"{path} cannot be written: {error.strerror}") from None
    kinds = asked or (Output.PICTURE, Output.JSON, Output.POLYGONS)
    fitting = next((kind for kind in kinds if suffix in suffixes[kind]), None)
    if fitting is None:
        what = " or ".join(kind.value for kind in kinds)
        known = ", ".join(sorted(set(chain.from_iterable(suffixes[kind] for kind in kinds))))
        told = f"'{path}' cannot hold {what}: use a file that ends in {known}, or a folder, with a slash at its end"
        raise typer.BadParameter(told, param_hint=option)
    return fitting


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
