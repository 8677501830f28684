"""Exporting again and rolling back while requests come in: the running server switches over and loses none."""

from __future__ import annotations

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
from tests.support import DEMO, copied, export, manage_versions, street

IMAGE = street(512, 256)
CALLERS = 2
ENOUGH = 100  # requests
PAUSE = 0.05  # s, between two requests of a caller: the export needs the cores, too
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
                found.answers.append(client.segment(IMAGE, DEMO, picture=False))
            except Exception as error:  # noqa: BLE001 - every error is counted
                found.failures.append(repr(error))
            time.sleep(PAUSE)

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


def test_no_request_is_lost_while_versions_change(repository: Path, weights: dict[str, Path], tmp_path: Path) -> None:
    repository = copied(repository, tmp_path)
    (tmp_path / "names.txt").write_text("lane\nkerb\ngrass\ngravel\nother\n")
    with serving(repository, "--model", DEMO) as addresses, Client(addresses["grpc"]) as client:
        first = client.segment(IMAGE, DEMO).label_map
        with load(client) as exporting:
            export(repository, DEMO, weights["roads"], "--classes", tmp_path / "names.txt")
            wait_for(lambda: client.model(DEMO).version == "2")
        second = client.segment(IMAGE, DEMO)
        with load(client) as rolling_back:
            assert manage_versions(repository, "use", DEMO) == f"{DEMO}: version 1 is served\n"
            wait_for(lambda: client.model(DEMO).version == "1")
        np.testing.assert_array_equal(client.segment(IMAGE, DEMO).label_map, first)
        assert client.model(DEMO).class_names[0] == "road"

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


def test_a_version_that_cannot_be_loaded_leaves_the_served_one_alone(
    repository: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    repository = copied(repository, tmp_path, versions=2)
    (repository / f"{DEMO}_network" / "2" / "model_cpu.onnx").write_bytes(b"no network")
    with serving(repository, "--model", DEMO) as addresses, Client(addresses["grpc"]) as client:
        before = client.segment(IMAGE, DEMO)
        manage_versions(repository, "use", DEMO, "2")
        wait_for(lambda: "cannot load the change, still serving the old version" in capfd.readouterr().out)
        after = client.segment(IMAGE, DEMO)
        assert (before.model, client.model(DEMO).version) == (after.model, "1")
        np.testing.assert_array_equal(after.label_map, before.label_map)


def test_versions_go_only_when_it_is_asked(repository: Path, tmp_path: Path) -> None:
    repository = copied(repository, tmp_path, versions=2)
    manage_versions(repository, "use", DEMO, "2")
    assert manage_versions(repository, "prune", DEMO) == f"{DEMO}: deleted version 1\n"
    with serving(repository, "--model", DEMO) as addresses, Client(addresses["grpc"]) as client:
        assert client.segment(IMAGE).model == DEMO
        assert client.model().version == "2"
