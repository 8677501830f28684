"""Destinations for results other than a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

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


class StandardOutput(NoFiles):
    """Writes a single image's file to standard output."""

    def __init__(self, output: Output, *, compact: bool = False) -> None:
        self._output = output
        self._compact = compact

    def remaining(self, items: Iterable[Item]) -> Iterator[Source | Unreadable]:
        found = list(islice(super().remaining(items), 2))
        if len(found) == 2:
            raise typer.BadParameter("'-' allows only one image, but the input has several", param_hint="--save-path")
        yield from found

    def save(self, found: Result) -> list[Path]:
        from ..results.render import render  # Pillow and OpenCV

        sys.stdout.buffer.write(render(found, self._output, self._compact))
        sys.stdout.buffer.flush()
        return []
