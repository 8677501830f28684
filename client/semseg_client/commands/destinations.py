"""Where the results of a command go, if not into a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from ..conversation import TargetSize
from ..inputs import Item, Source, Unreadable, sources
from ..outputs import Output, save
from ..segmentation import Model

if TYPE_CHECKING:
    from ..result import Result


class Nowhere:
    """They are reported only."""

    skipped = 0
    goes_on = False

    def remaining(
        self,
        items: Iterable[Item],
        model: Model,  # noqa: ARG002
        target_size: TargetSize | None,  # noqa: ARG002
    ) -> Iterator[Source | Unreadable]:
        return sources(items)

    def save(self, found: Result) -> list[Path]:  # noqa: ARG002
        return []


class StandardOutput:
    """The file of one image goes to standard output."""

    skipped = 0
    goes_on = False

    def __init__(self, output: Output, *, compact: bool = False) -> None:
        self._output = output
        self._compact = compact

    def remaining(
        self,
        items: Iterable[Item],
        model: Model,  # noqa: ARG002
        target_size: TargetSize | None,  # noqa: ARG002
    ) -> Iterator[Source | Unreadable]:
        images = list(islice(sources(items), 2))
        if len(images) == 2:
            raise typer.BadParameter("'-' takes one image, and the input has several", param_hint="--save-path")
        yield from images

    def save(self, found: Result) -> list[Path]:
        with TemporaryDirectory(prefix="semseg-") as folder:
            [file] = save(found, [self._output], Path(folder), self._compact)
            sys.stdout.buffer.write(file.read_bytes())
            sys.stdout.buffer.flush()
        return []
