from __future__ import annotations

from pathlib import Path

from semseg_client.hosting.supervision.status import Fault, Status, StatusFile


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    written, read = StatusFile(tmp_path / "status.json"), StatusFile(tmp_path / "status.json")
    assert read.read() == Status()
    for status in (Status({"A": Fault("draw has died", final=True)}), Status(draining=True), Status()):
        written.write(status)
        assert read.read() == status


def test_the_last_status_holds_when_the_file_has_gone(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.write(Status(draining=True))
    assert status.read().draining
    status.path.unlink()
    assert status.read().draining


def test_a_suspicion_lasts_for_a_moment(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    assert not status.suspected(within=1.0)
    status.suspect()
    assert status.suspected(within=60.0)
    assert not status.suspected(within=-1.0)
