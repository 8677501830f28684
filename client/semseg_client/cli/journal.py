"""The journal of a folder of results: an append-only file of JSON lines.

Each line is written in a single call, once all files of an image are in place. However the writer dies, complete lines are valid,
and a torn last line is skipped. Several processes may write to one journal. If two lines have the same name, the last one counts.
A second kind of line records how many images a multi-image file (a PDF, a video) holds, once it has been read to its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ..files import AppendedLines
from ..results.outputs import Output
from ..triton.protocol import TargetSize
from ..types import Model


@dataclass(frozen=True)
class Made:
    """How a result is made. `weights` is the SHA-256 of the weights that the model was exported from, if known."""

    model: str
    version: str
    weights: str | None
    target_size: int | list[int] | None
    outputs: list[str]
    compact: bool
    bits: int | None = None

    @classmethod
    def by(
        cls,
        model: Model,
        target_size: TargetSize | None,
        outputs: Iterable[Output],
        *,
        compact: bool = False,
        bits: int | None = None,
    ) -> Made:
        size = list(target_size) if isinstance(target_size, tuple) else target_size
        return cls(model.name, model.version, model.source_sha256, size, [output.value for output in outputs], compact, bits)


@dataclass(frozen=True)
class Entry:
    """An image that is done.

    `input` is the absolute path of its file, or its URL. `page` is the `page_index` of the result. `stamp` changes when the image
    does. `files` maps the name of every written file to its size in bytes and its modification time in nanoseconds.
    """

    input: str
    page: int | None
    stamp: str
    name: str
    made: Made
    files: dict[str, list[int]]


@dataclass(frozen=True)
class Counted:
    """A multi-image file that has been read to its end, and how many images it holds."""

    input: str
    stamp: str
    images: int


class Journal:
    """The journal whose lines these are."""

    def __init__(self, lines: AppendedLines) -> None:
        self._lines = lines

    def read(self) -> list[Entry | Counted]:
        """All valid lines, oldest first. Raises OSError."""
        lines = map(_line, self._lines.read())
        return [line for line in lines if line is not None]

    def add(self, line: Entry | Counted) -> None:
        """Write a line. Raises OSError."""
        self._lines.add(json.dumps(asdict(line), separators=(",", ":")).encode())


def _line(line: bytes) -> Entry | Counted | None:
    try:
        told = json.loads(line)
        return Counted(**told) if "images" in told else Entry(**{**told, "made": Made(**told["made"])})
    except (ValueError, TypeError, KeyError):  # torn, or written by another version of this program
        return None
