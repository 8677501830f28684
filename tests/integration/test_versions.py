"""Exporting again and rolling back while requests come in: the running server switches over and loses none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from demo.run import serving
from semseg_client import Client, Segmentation
from tests.support import DEMO_WEIGHTS, STREET, WITH_EXPORT, bare_repository, export, in_export_environment

ROADS = "roads"
CALLERS = 4
ENOUGH = 200  # requests
PATIENCE = 60  # s


@dataclass
class Load:
    """The outcomes of a stream of requests."""

    answers: list[Segmentation] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(client: Client) -> Iterator[Load]:
    """Send at least ENOUGH requests from CALLERS concurrent callers while the block runs."""
    found, over = Load(), threading.Event()

    def call() -> None:
        while not over.is_set() or len(found.answers) + len(found.failures) < ENOUGH:
            try:
                found.answers.append(client.segment(STREET, ROADS, picture=False))
            except Exception as error:  # noqa: BLE001, PERF203 - every error is counted
                found.failures.append(repr(error))

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield found
    finally:
        over.set()
        for caller in callers:
            caller.join()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def versions(repository: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "semseg_export.versions", *arguments, "--repository", str(repository)]
    return subprocess.run(command, env=WITH_EXPORT, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = bare_repository(tmp_path / "model_repository")
    export(folder, ROADS, DEMO_WEIGHTS)
    return folder


def test_no_request_is_lost_while_versions_change(repository: Path, tmp_path: Path) -> None:
    in_export_environment("-m", "tests.networks", tmp_path / "other", "--classes", "5")
    (tmp_path / "names.txt").write_text("lane\nkerb\ngrass\ngravel\nother\n")
    with serving(repository, "--model", ROADS) as addresses, Client(addresses["grpc"]) as client:
        first = client.segment(STREET, ROADS).label_map
        with load(client) as exporting:
            export(repository, ROADS, tmp_path / "other", "--classes", tmp_path / "names.txt")
            wait_for(lambda: client.model(ROADS).version == "2")
        second = client.segment(STREET, ROADS)
        with load(client) as rolling_back:
            assert versions(repository, "use", ROADS) == f"{ROADS}: version 1 is served\n"
            wait_for(lambda: client.model(ROADS).version == "1")
        np.testing.assert_array_equal(client.segment(STREET, ROADS).label_map, first)
        assert client.model(ROADS).class_names[0] == "class 0"

    assert second.class_names == ("lane", "kerb", "grass", "gravel", "other")
    assert second.label_map.max() < 5
    assert (second.label_map != first).mean() > 0.5
    for changing in (exporting, rolling_back):
        assert changing.failures == []
        assert len(changing.answers) >= ENOUGH
        seen = [
            next(number for number, known in ((1, first), (2, second.label_map)) if np.array_equal(answer.label_map, known))
            for answer in changing.answers
        ]
        assert set(seen) == {1, 2}
        print(f"{len(seen)} requests, {seen.count(1)} of them answered by version 1, none lost")


def test_a_version_that_cannot_be_loaded_leaves_the_served_one_alone(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    export(repository, ROADS, DEMO_WEIGHTS)
    versions(repository, "use", ROADS, "1")
    (repository / f"{ROADS}_network" / "2" / "model_cpu.onnx").write_bytes(b"no network")
    with serving(repository, "--model", ROADS) as addresses, Client(addresses["grpc"]) as client:
        before = client.segment(STREET, ROADS)
        versions(repository, "use", ROADS, "2")
        wait_for(lambda: "cannot be loaded, the old version is still served" in capfd.readouterr().out)
        after = client.segment(STREET, ROADS)
        assert (before.model, client.model(ROADS).version) == (after.model, "1")
        np.testing.assert_array_equal(after.label_map, before.label_map)


def test_versions_go_only_when_it_is_asked(repository: Path) -> None:
    export(repository, ROADS, DEMO_WEIGHTS)
    assert versions(repository, "prune", ROADS) == f"{ROADS}: deleted version 1\n"
    with serving(repository, "--model", ROADS) as addresses, Client(addresses["grpc"]) as client:
        assert client.segment(STREET).model == ROADS
        assert client.model().version == "2"
