"""Processes die, hang or are stopped while requests come in: no request fails, and everything recovers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests

from demo.run import serving
from semseg_client import Client, Overloaded, create_pipeline
from tests.support import DEMO, Service, copied, encoded, processes_of, server_of, street

CALLERS = 8
PATIENCE = 30  # s
PAUSE = 0.1  # s, between two requests of a caller: what heals needs the cores, too
IMAGE = street(256, 128)


@dataclass
class Calls:
    """What callers got, the longest gap between right answers, and the time of the last one."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    longest_gap: float = 0.0  # s
    last: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, failure: str | None) -> None:
        with self.lock:
            now = time.monotonic()
            if failure is not None:
                self.wrong.append(failure)
                return
            self.right += 1
            self.longest_gap = max(self.longest_gap, now - self.last)
            self.last = now


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[Service]:
    with serving(repository, "--model", DEMO) as addresses:
        yield Service(**addresses)


@pytest.fixture(scope="module")
def expected(service: Service) -> list[int]:
    return list(label_map(service))


def label_map(service: Service) -> list[int]:
    answer = requests.post(f"{service.rest}/semantic-segmentation", json={"image": encoded(IMAGE)}, timeout=60)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["result"]["labelMap"])


@contextmanager
def callers(service: Service, expected: list[int]) -> Iterator[Calls]:
    """Half of the callers use REST and half gRPC, until the block ends."""
    calls, over = Calls(), threading.Event()
    shape = Client(service.grpc).segment(IMAGE).label_map.shape
    wanted = np.array(expected, np.uint8).reshape(shape)

    def by_rest() -> None:
        while not over.is_set():
            try:
                calls.answered(None if label_map(service) == expected else "wrong label map")
            except Exception as error:  # noqa: BLE001 - every error is counted
                calls.answered(repr(error))
            time.sleep(PAUSE)

    def by_grpc() -> None:
        with Client(service.grpc) as client:
            while not over.is_set():
                try:
                    same = np.array_equal(client.segment(IMAGE).label_map, wanted)
                    calls.answered(None if same else "wrong label map")
                except Exception as error:  # noqa: BLE001
                    calls.answered(repr(error))
                time.sleep(PAUSE)

    threads = [threading.Thread(target=call) for call in [by_rest, by_grpc] * (CALLERS // 2)]
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        over.set()
        for thread in threads:
            thread.join()


def wait_until_ready(service: Service, status: int = 200) -> None:
    """Wait until /readyz answers with that status."""
    deadline = time.monotonic() + PATIENCE
    while requests.get(f"{service.rest}/readyz", timeout=10).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("entry", ["preprocess", f"{DEMO}_network", "postprocess", "draw"])
def test_a_killed_process_costs_no_request(service: Service, expected: list[int], entry: str) -> None:
    with callers(service, expected) as calls:
        time.sleep(0.5)
        for process in processes_of(service.grpc, entry):  # preprocess has two if there are enough cores
            process.kill()
        wait_until_ready(service, 503)
        wait_until_ready(service)
        time.sleep(0.5)
    assert calls.wrong == []
    print(f"{entry}: {calls.right} right answers, none wrong; longest gap {calls.longest_gap:.1f} s")


def test_a_stopped_process_goes_on(service: Service, expected: list[int]) -> None:
    [process] = processes_of(service.grpc, f"{DEMO}_network")
    with callers(service, expected) as calls:
        process.suspend()
        time.sleep(2.0)
        server_of(service.grpc).suspend()
        time.sleep(2.0)
    assert processes_of(service.grpc, f"{DEMO}_network") == [process]
    assert calls.wrong == []


def test_a_killed_server_is_started_again(service: Service, expected: list[int]) -> None:
    before = server_of(service.grpc)
    with callers(service, expected) as calls:
        time.sleep(1.0)
        before.kill()
        before.wait(10)
        time.sleep(1.0)
        wait_until_ready(service)
    assert server_of(service.grpc) != before
    assert calls.wrong == []
    print(f"tritonserver: {calls.right} right answers, none wrong; longest gap {calls.longest_gap:.1f} s")


def test_while_many_images_wait_callers_of_grpc_are_refused_before_anything_is_decoded(service: Service) -> None:
    busy = Path(server_of(service.grpc).environ()["SEMSEG_CRASH_FOLDER"], "busy")
    with Client(service.grpc) as client, Client(service.grpc, parameters={"admitted": True}) as forger:
        client.segment(IMAGE)
        busy.touch()
        for each in (client, forger):
            with pytest.raises(Overloaded):
                each.segment(IMAGE)
        assert label_map(service)
        deadline = time.monotonic() + PATIENCE
        while busy.exists():  # removed once no image is waiting
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.segment(IMAGE)


def test_a_process_that_hangs_is_replaced(repository: Path, tmp_path: Path) -> None:
    hangs, copy = tmp_path / "hangs", copied(repository, tmp_path)
    code = copy / "draw" / "1" / "model.py"
    text = code.read_text()
    loop = f"while __import__('os').path.exists({str(hangs)!r}): __import__('time').sleep(0.05)"
    code.write_text(
        text.replace(
            "    def execute(",
            f"    def execute(self, requests):\n        {loop}\n        return self.run(requests)\n\n    def run(",
        )
    )
    with serving(copy, "--model", DEMO) as addresses:
        service = Service(**addresses)
        expected = label_map(service)
        [before] = processes_of(service.grpc, "draw")
        hangs.touch()
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(label_map, service)
            while before.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() - begun < PATIENCE
                time.sleep(0.1)
            noticed = time.monotonic() - begun
            hangs.unlink()
            assert answer.result() == expected
            answered = time.monotonic() - begun
    print(f"noticed after {noticed:.1f} s, answered after {answered:.1f} s")


def test_a_pipelines_own_server_heals_alike(repository: Path) -> None:
    me = psutil.Process()
    before = set(me.children(recursive=True))
    with create_pipeline(model=DEMO, repository=repository) as pipeline:
        [first] = list(pipeline.predict(IMAGE))
        stages = [each for each in set(me.children(recursive=True)) - before if "backend_stub" in each.cmdline()[0]]
        os.kill(stages[0].pid, signal.SIGKILL)
        [second] = list(pipeline.predict(IMAGE))
        np.testing.assert_array_equal(second.label_map, first.label_map)
        server = next(each for each in me.children() if each.name() == "tritonserver")
        server.kill()
        [third] = list(pipeline.predict(IMAGE))
        np.testing.assert_array_equal(third.label_map, first.label_map)
