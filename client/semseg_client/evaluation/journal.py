"""The images of an evaluation that are done, for a later run to go on from: a line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files import AppendedLines
from .confusion import Counts
from .datasets import Sample


class Journal:
    """The journal whose lines these are. `made` says how the answers are made; lines of another kind are passed over.

    Raises OSError.
    """

    def __init__(self, lines: AppendedLines, made: Mapping[str, Any], classes: int) -> None:
        self._lines, self._made, self._classes = lines, dict(made), classes
        self._done = dict(filter(None, map(self._entry, lines.read())))

    def done(self, sample: Sample) -> Counts | None:
        """The counts of an image that is done and has not changed since."""
        stamp, cells = self._done.get(sample.name, ("", None))
        if cells is None or stamp != _stamp(sample):
            return None
        matrix = np.zeros((self._classes, self._classes), np.int64)
        matrix[cells[:, 0], cells[:, 1]] = cells[:, 2]
        return matrix

    def add(self, sample: Sample, matrix: Counts) -> None:
        """Raises OSError."""
        rows, columns = np.nonzero(matrix)
        counts = np.stack([rows, columns, matrix[rows, columns]], axis=1).tolist()
        line = {"name": sample.name, "stamp": _stamp(sample), "made": self._made, "counts": counts}
        self._lines.add(json.dumps(line, separators=(",", ":")).encode())

    def _entry(self, line: bytes) -> tuple[str, tuple[str, npt.NDArray[np.int64]]] | None:
        """The name, the stamp and the cells that are not 0: row, column, count."""
        try:
            told = json.loads(line)
            cells = np.array(told["counts"], np.int64).reshape(-1, 3)
            fits = told["made"] == self._made and cells.min(initial=0) >= 0 and cells[:, :2].max(initial=0) < self._classes
            return (told["name"], (told["stamp"], cells)) if fits else None
        except (ValueError, TypeError, KeyError, OverflowError):  # torn, or written by another version of this program
            return None


def _stamp(sample: Sample) -> str:
    """Changes when one of the sample's files does."""
    try:
        states = [file.stat() for file in (sample.image, sample.truth)]
    except OSError:
        return "missing"
    return "-".join(f"{state.st_size:x}.{state.st_mtime_ns:x}" for state in states)
