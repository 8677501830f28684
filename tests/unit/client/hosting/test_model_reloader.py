"""What the reloader makes a server load; tests/integration/test_versions.py checks that a real server loses no request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from semseg_client import ServingError
from semseg_client.hosting.model_reloader import ModelReloader

ENSEMBLE = """
platform: "ensemble" version_policy { specific { versions: VERSION } }
parameters { key: "class_names" value { string_value: "[]" } }
ensemble_scheduling { step { model_name: "A_network" model_version: -1 } }
"""
PERIOD = 0.02  # s
NETWORK = 'backend: "onnxruntime" version_policy { specific { versions: VERSION } }'


class Server:
    """Records the names to load; refuses those in `broken`."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.broken: set[str] = set()

    def load(self, names: Sequence[str]) -> None:
        for name in names:
            self.loaded.append(name)
            if name in self.broken:
                raise ServingError("load failed")


@pytest.fixture
def server() -> Server:
    return Server()


def write(repository: Path, version: int) -> None:
    for name, config in (("A_network", NETWORK), ("A", ENSEMBLE)):
        (repository / name).mkdir(exist_ok=True)
        (repository / name / "config.pbtxt").write_text(config.replace("VERSION", str(version)))


def wait_for(said: list[str]) -> str:
    deadline = time.monotonic() + 20
    while not said and time.monotonic() < deadline:
        time.sleep(PERIOD)
    return said.pop()


def test_a_new_version_is_loaded_the_ensemble_last(server: Server, tmp_path: Path) -> None:
    write(tmp_path, 1)
    said: list[str] = []
    with ModelReloader(tmp_path, ["A"], said.append, PERIOD).watching(server.load):
        write(tmp_path, 2)
        assert wait_for(said) == "A: version 2 is served now"
        assert server.loaded == ["A_network", "A"]
        (tmp_path / "A_network" / "config.pbtxt").write_text("{")  # an unfinished edit
        time.sleep(10 * PERIOD)
        assert server.loaded == ["A_network", "A"]
        write(tmp_path, 1)
        assert wait_for(said) == "A: version 1 is served now"


def test_a_version_that_cannot_be_loaded_is_told_and_its_ensemble_left_alone(server: Server, tmp_path: Path) -> None:
    write(tmp_path, 1)
    said: list[str] = []
    server.broken = {"A_network"}
    with ModelReloader(tmp_path, ["A"], said.append, PERIOD).watching(server.load):
        write(tmp_path, 2)
        told = "A: cannot load the change, still serving the old version (to undo: make rollback MODEL=A): load failed"
        assert wait_for(said) == told
        assert server.loaded == ["A_network"]


def test_what_changed_while_the_server_started_is_loaded(server: Server, tmp_path: Path) -> None:
    write(tmp_path, 1)
    said: list[str] = []
    watch = ModelReloader(tmp_path, ["A"], said.append, PERIOD)
    write(tmp_path, 2)
    with watch.watching(server.load):
        assert wait_for(said) == "A: version 2 is served now"
    assert server.loaded == ["A_network", "A"]


def test_a_change_that_is_half_done_is_waited_for(server: Server, tmp_path: Path) -> None:
    write(tmp_path, 1)
    said: list[str] = []
    with ModelReloader(tmp_path, ["A"], said.append, PERIOD).watching(server.load):
        (tmp_path / "A_network" / "config.pbtxt").write_text(NETWORK.replace("VERSION", "2"))
        time.sleep(10 * PERIOD)
        assert server.loaded == []
        write(tmp_path, 2)
        assert wait_for(said) == "A: version 2 is served now"
    assert server.loaded == ["A_network", "A"]


def test_a_change_that_a_full_disk_keeps_out_is_tried_again(tmp_path: Path) -> None:
    write(tmp_path, 1)
    said: list[str] = []
    failures = [OSError(28, "No space left on device")]

    def load(_: Sequence[str]) -> None:
        if failures:
            raise failures.pop()

    watch = ModelReloader(tmp_path, ["A"], said.append, PERIOD)
    write(tmp_path, 2)
    with pytest.raises(OSError, match="No space"):
        watch._look(load, "A")
    watch._look(load, "A")
    assert said == ["A: version 2 is served now"]
    watch._look(load, "A")
    assert len(said) == 1
