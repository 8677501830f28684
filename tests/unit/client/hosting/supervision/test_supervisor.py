from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from semseg_client import ServingError
from semseg_client.hosting.supervision.supervisor import Supervisor

ENSEMBLE = 'platform: "ensemble" parameters { key: "class_names" value { string_value: "[]" } } a_field_of_a_newer_triton: 1'


def add(repository: Path, name: str, config: str) -> None:
    (repository / name).mkdir()
    (repository / name / "config.pbtxt").write_text(config)


def test_a_model_that_is_not_exported_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="semseg export SegFormer-B0 --precision int8"):
        Supervisor(tmp_path, ["SegFormer-B0-int8"]).start()


def test_without_tritonserver_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path, "A", ENSEMBLE)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServingError, match="pip install"):
        Supervisor(tmp_path, ["A"]).start()


class Silent:
    """A server whose process is alive, but which does not answer."""

    killed = False

    def live(self) -> bool:
        return False

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(("up", "seconds", "killed"), [(True, 1, True), (False, 300, False), (False, 601, True)])
def test_a_server_that_answers_nothing_is_killed_and_one_that_starts_has_longer(
    tmp_path: Path, up: bool, seconds: int, killed: bool
) -> None:
    supervisor, server = Supervisor(tmp_path, []), Silent()
    supervisor._triton = supervisor._process = server
    supervisor._up = up
    for look in range(5):
        assert not server.killed
        assert not supervisor._answers(seconds * (look + 1) / 5)
    assert server.killed == killed


def test_what_was_not_started_can_be_stopped(tmp_path: Path) -> None:
    Supervisor(tmp_path, ["A"]).stop()


def test_draining_goes_on_where_it_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    supervisor = Supervisor(tmp_path, ["A"])
    monkeypatch.setattr(supervisor, "_tell", full)
    supervisor.drain()


def test_a_server_is_looked_after_only_once_somebody_has_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = Supervisor(tmp_path, ["A"])
    monkeypatch.setattr(supervisor, "_looked_at", time.monotonic() - 60)
    assert not supervisor.attentive
    monkeypatch.setattr(supervisor, "_looked_at", time.monotonic())
    assert supervisor.attentive
