"""The images of an evaluation that are done: an append-only file of JSON lines, for a later run to go on from.

Each line is written in a single call. However the writer dies, complete lines are valid, and a torn last line is skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from .confusion import Counts
from .datasets import Sample


class Journal:
    """`made` says how the answers are made; lines written with another are passed over. Raises OSError."""

    def __init__(self, path: Path, made: Mapping[str, Any], classes: int) -> None:
        self._made, self._classes = dict(made), classes
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_bytes().splitlines() if path.exists() else []
        self._file = path.open("ab", buffering=0)
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            self._file.write(b"\n")
        self._done = dict(filter(None, map(self._entry, lines)))

    def done(self, sample: Sample) -> Counts | None:
        """The counts of an image that is done and has not changed since."""
        stamp, matrix = self._done.get(sample.name, (None, None))
        return matrix if stamp == _stamp(sample) else None

    def add(self, sample: Sample, matrix: Counts) -> None:
        """Raises OSError."""
        rows, columns = np.nonzero(matrix)
        counts = np.stack([rows, columns, matrix[rows, columns]], axis=1).tolist()
        line = {"name": sample.name, "stamp": _stamp(sample), "made": self._made, "counts": counts}
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def _entry(self, line: bytes) -> tuple[str, tuple[str, Counts]] | None:
        try:
            told = json.loads(line)
            if told["made"] != self._made:
                return None
            return told["name"], (told["stamp"], self._matrix(told["counts"]))
        except (ValueError, TypeError, KeyError, IndexError):  # torn, or written by another version of this program
            return None

    def _matrix(self, told: list[list[int]]) -> Counts:
        matrix = np.zeros((self._classes, self._classes), np.int64)
        for row, column, count in told:
            matrix[row, column] = count
        return matrix

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def _stamp(sample: Sample) -> str:
    """Changes when one of the sample's files does."""
    try:
        states = [file.stat() for file in (sample.image, sample.truth)]
    except OSError:
        return "missing"
    return "-".join(f"{state.st_size:x}.{state.st_mtime_ns:x}" for state in states)
