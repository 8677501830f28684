from __future__ import annotations

from pathlib import Path

from semseg_client.hosting.supervision.status import CRASHES, Fault, Status, StatusFile


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    written, read = StatusFile(tmp_path / "status.json"), StatusFile(tmp_path / "status.json")
    assert read.read() == Status()
    for status in (
        Status({"A": Fault("draw has died", final=True)}),
        Status(draining=True),
        Status(warnings=("too little",)),
        Status(),
    ):
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


def test_a_ticket_is_new_for_each_server_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    tickets = set()
    for server in ("a", "b"):
        (tmp_path / server / CRASHES).mkdir(parents=True)
        status = StatusFile(tmp_path / server / "status.json")
        status.issue_ticket()
        assert (tmp_path / server / CRASHES / "ticket").stat().st_mode & 0o777 == 0o600
        tickets.add(status.ticket())
    assert len(tickets) == 2
    assert min(map(len, tickets)) >= 32
