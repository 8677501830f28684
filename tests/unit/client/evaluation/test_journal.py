"""A line of the journal counts only if it is whole, of this kind, and of an image that has not changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from semseg_client.evaluation.datasets import Sample
from semseg_client.evaluation.journal import Journal
from semseg_client.files import AppendedLines

MADE = {"model": "demo", "version": "1"}
COUNTS = np.array([[3, 0], [2**40, 1]])


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    for name in ("image", "truth"):
        (tmp_path / name).write_bytes(b"content")
    return Sample("one", tmp_path / "image", tmp_path / "truth")


def known(file: Path, sample: Sample, made: dict[str, str] = MADE) -> object:
    with AppendedLines(file) as lines:
        found = Journal(lines, made, 2).done(sample)
    return None if found is None else found.tolist()


def test_what_is_done_is_known_until_it_changes(tmp_path: Path, sample: Sample) -> None:
    file = tmp_path / "journal"
    with AppendedLines(file) as lines:
        Journal(lines, MADE, 2).add(sample, COUNTS)
    assert known(file, sample) == COUNTS.tolist()
    assert known(file, sample, {**MADE, "version": "2"}) is None
    sample.truth.write_bytes(b"other content")
    assert known(file, sample) is None


@pytest.mark.parametrize("counts", [[[0, 2, 5]], [[-1, 0, 5]], [[0, 0, -5]], [[0, 0]], [[0, 0, 2**70]], "no list", None])
def test_counts_that_cannot_be_are_passed_over(tmp_path: Path, sample: Sample, counts: object) -> None:
    file = tmp_path / "journal"
    with AppendedLines(file) as lines:
        Journal(lines, MADE, 2).add(sample, COUNTS)
    line = json.loads(file.read_bytes())
    file.write_text(json.dumps({**line, "counts": counts}) + "\n")
    assert known(file, sample) is None


def test_a_torn_line_harms_no_other(tmp_path: Path, sample: Sample) -> None:
    file = tmp_path / "journal"
    file.write_bytes(b'{"name": "one", "stamp')
    with AppendedLines(file) as lines:
        Journal(lines, MADE, 2).add(sample, COUNTS)
    assert known(file, sample) == COUNTS.tolist()
