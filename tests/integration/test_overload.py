"""Greedy callers on real sockets harm only themselves. The limits and times here are small."""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import cv2
import psutil
import pytest
import requests

from demo.run import serving
from tests.support import DEMO, STREET, Service, street

SETTINGS = {
    "SEMSEG_MAX_CONNECTIONS": "40",
    "SEMSEG_MAX_WAITING": "3",
    "SEMSEG_MAX_BODY_BYTES": str(8 * 2**20),
    "SEMSEG_BODY_MEMORY": str(16 * 2**20),
    "SEMSEG_ANSWER_MEMORY": str(24 * 2**20),
    "SEMSEG_HEADER_TIMEOUT": "0.6",
    "SEMSEG_BODY_TIMEOUT": "0.6",
    "SEMSEG_ANSWER_TIMEOUT": "2",
    "SEMSEG_RATE_GRACE": "1",
}
PATH = "/semantic-segmentation"
SMALL = street(64, 64)
LARGE = street(2048, 1024)


@pytest.fixture(scope="module")
def rest(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    nowhere = tmp_path_factory.mktemp("nowhere")
    flags = ("--url", service.grpc, "--model", DEMO, "--workers", "1")
    with serving(nowhere, *flags, **SETTINGS) as addresses:
        yield addresses["rest"]


@pytest.fixture(autouse=True)
def _served_before_and_after(rest: str) -> Iterator[None]:
    assert ask(rest).status_code == 200
    yield
    assert ask(rest).status_code == 200


def ask(rest: str, image: bytes = SMALL, accept: str = "image/png") -> requests.Response:
    headers = {"Content-Type": "image/png", "Accept": accept}
    return requests.post(f"{rest}{PATH}", image, headers=headers, timeout=60)


def connected(rest: str) -> socket.socket:
    host, _, port = rest.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def head(length: int, kind: str = "application/json", accept: str = "application/json") -> bytes:
    lines = (
        f"POST {PATH} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {kind}",
        f"Accept: {accept}",
        f"Content-Length: {length}",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Reads until the connection is closed; returns the status and the envelope."""
    with connection.makefile("rb") as read:
        top, _, body = read.read().partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(body)


def test_who_sends_nothing_is_closed(rest: str) -> None:
    with connected(rest) as caller:
        assert caller.recv(1) == b""


def test_a_head_that_does_not_end_is_408(rest: str) -> None:
    with connected(rest) as caller:
        caller.sendall(head(10)[:50])
        status, told = answer(caller)
    assert (status, told["errorCode"]) == (408, 408)


@pytest.mark.parametrize("kind", ["application/json", "image/png", "multipart/form-data; boundary=x"])
def test_a_body_that_stops_is_408(rest: str, kind: str) -> None:
    with connected(rest) as caller:
        caller.sendall(head(1000, kind) + b"--x\r\n")
        status, told = answer(caller)
    assert (status, told["errorCode"]) == (408, 408)


def test_a_body_that_trickles_is_408(rest: str) -> None:
    with connected(rest) as caller, ThreadPoolExecutor(1) as pool:
        caller.sendall(head(1_000_000))
        told = pool.submit(answer, caller)
        while not told.done():
            try:
                caller.sendall(b"x")
            except OSError:
                break
            time.sleep(0.1)
        assert told.result()[0] == 408


def test_slow_readers_are_cut_and_their_answers_are_forgotten(rest: str) -> None:
    worker = gateway_process(rest)
    before = worker.memory_info().rss
    callers = []
    for _ in range(12):
        callers.append(caller := connected(rest))
        caller.sendall(head(len(LARGE), "image/png") + LARGE)
        caller.recv(1)  # 11 MB will follow
    time.sleep(1)
    assert worker.memory_info().rss - before < 100 * 2**20
    time.sleep(4)
    assert sum(each.status == "ESTABLISHED" for each in worker.net_connections("tcp") if each.laddr.port == port(rest)) == 0
    for caller in callers:
        caller.close()


def test_who_reads_an_answer_slowly_but_steadily_gets_all_of_it(rest: str) -> None:
    whole = requests.post(f"{rest}{PATH}", LARGE, headers={"Content-Type": "image/png"}, timeout=60).content
    with connected(rest) as caller:
        caller.sendall(head(len(LARGE), "image/png").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + LARGE)
        read = b""
        while part := caller.recv(2**18):
            read += part
            time.sleep(0.03)
    result = json.loads(read.partition(b"\r\n\r\n")[2])["result"]
    assert result == json.loads(whole)["result"]


def test_many_idle_connections_leave_room_for_who_asks(rest: str) -> None:
    callers = [connected(rest) for _ in range(300)]
    assert ask(rest).status_code == 200
    assert gateway_process(rest).num_fds() < 150
    for caller in callers:
        caller.close()


def test_bodies_that_have_no_room_are_503_and_others_are_answered(rest: str) -> None:
    held = [connected(rest) for _ in range(3)]
    body = b" " * (8 * 2**20)
    with ThreadPoolExecutor(3) as pool:
        for caller in held:
            pool.submit(caller.sendall, head(len(body)) + body[: 5 * 2**20])
        time.sleep(0.2)
        assert ask(rest).status_code == 200
        statuses = Counter(int(caller.recv(1000).split()[1]) for caller in held)
    assert statuses[503] >= 1
    assert set(statuses) <= {503, 408}


def test_the_largest_body_is_taken(rest: str) -> None:
    image = bytes(cv2.imencode(".bmp", cv2.resize(cv2.imread(str(STREET)), (1600, 1600)))[1])
    assert 7 * 2**20 < len(image) < 8 * 2**20
    assert ask(rest, image).status_code == 200


def test_images_that_may_not_wait_are_503_at_once_and_the_rest_is_answered(rest: str) -> None:
    image, end = STREET.read_bytes(), time.monotonic() + 2

    def call(_: int) -> list[requests.Response]:
        answers = []
        while time.monotonic() < end:
            answers.append(ask(rest, image))
        return answers

    with ThreadPoolExecutor(12) as pool:
        answers = [each for calls in pool.map(call, range(12)) for each in calls]
    assert {each.status_code for each in answers} == {200, 503}
    assert all(int(each.headers["Retry-After"]) >= 1 for each in answers if each.status_code == 503)
    served, refused = ([each.elapsed.total_seconds() for each in answers if each.status_code == status] for status in (200, 503))
    assert len(served) >= 5
    assert median(refused) < median(served) / 4


def test_a_batch_is_read_line_by_line_under_the_same_limits(rest: str) -> None:
    files = [("image", street(512, 512))] * 6
    with requests.post(f"{rest}{PATH}/batch", files=files, stream=True, timeout=60) as response:
        lines = [json.loads(line) for line in response.iter_lines(2**20)]
    assert [line["index"] for line in lines] == list(range(6))
    assert {line["errorCode"] for line in lines} <= {0, 503}


def port(rest: str) -> int:
    return int(rest.rpartition(":")[2])


def gateway_process(rest: str) -> psutil.Process:
    """The process that answers at this address."""
    listening = [each for each in psutil.Process().children(recursive=True) if listens(each, port(rest))]
    [worker] = [each for each in listening if each.parent() in listening]
    return worker


def listens(process: psutil.Process, number: int) -> bool:
    return any(each.laddr.port == number and each.status == "LISTEN" for each in process.net_connections("tcp"))
