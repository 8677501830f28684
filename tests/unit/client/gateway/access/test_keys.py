from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from semseg_client.gateway.access.keys import Keys


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def write(file: Path, text: str) -> None:
    file.write_text(text)
    os.utime(file, ns=(0, hash(text)))  # file timestamps may be coarse


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    write(path, "alice: first\nbob: {key: second, per_minute: 1}\n")
    return path


def names(keys: Keys, *sent: str) -> list[str | None]:
    return [None if holder is None else holder.name for holder in map(keys.find, sent)]


def test_a_key_tells_whose_it_is(file: Path) -> None:
    assert names(Keys(file), "first", "second", "third", "", "firs", "first ") == ["alice", "bob", None, None, None, None]


def test_a_change_counts_within_a_second(file: Path) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    assert names(keys, "first") == ["alice"]
    write(file, "carol: third\n")
    clock.now += 0.9
    assert names(keys, "first", "third") == ["alice", None]
    clock.now += 0.1
    assert names(keys, "first", "third") == [None, "carol"]


@pytest.mark.parametrize("damage", ["alice: [", "", "alice: first\nalice: second\n", None])
def test_a_damaged_file_changes_nothing_and_is_told_once(
    file: Path, caplog: pytest.LogCaptureFixture, damage: str | None
) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    keys.find("first")
    if damage is None:
        file.unlink()
    else:
        write(file, damage)
    for _ in range(3):
        clock.now += 1
        assert names(keys, "first", "second") == ["alice", "bob"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(file) in record.getMessage()
    write(file, "carol: third\n")
    clock.now += 1
    assert names(keys, "first", "third") == [None, "carol"]


def test_a_process_that_starts_with_a_damaged_file_lets_nobody_in_until_it_is_mended(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    file.unlink()
    assert names(keys, "first", "") == [None, None]
    assert len(caplog.records) == 1
    write(file, "alice: first\n")
    clock.now += 1
    assert names(keys, "first") == ["alice"]


def test_what_was_asked_for_still_counts_when_the_file_is_read_anew(file: Path) -> None:
    clock = Clock()
    keys = Keys(file, clock)
    bob = keys.find("second")
    assert bob is not None
    assert bob.allowance.enter(clock.now) == 0
    write(file, "alice: first\nbob: {key: newer, per_minute: 1}\n")
    clock.now += 1
    bob = keys.find("newer")
    assert bob is not None
    assert bob.allowance.enter(clock.now) > 0
    write(file, "bob: {key: newer, per_minute: 5}\n")
    clock.now += 1
    bob = keys.find("newer")
    assert bob is not None
    assert bob.allowance.enter(clock.now) == 0
