from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from semseg_client.hosting.supervision.pressure import Pressure, most_waiting
from semseg_client.ports import free_ports

PAGE = """\
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="preprocess",version="1"} 99
nv_inference_pending_request_count{model="A_network",version="1"} NUMBER
nv_inference_pending_request_count{model="B_network",version="2"} 3
nv_inference_count{model="A_network",version="1"} 1000
"""


@pytest.fixture
def numbers() -> list[int]:
    return [0]


@pytest.fixture
def metrics(numbers: list[int]) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.replace("NUMBER", str(numbers[0])).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_longest_queue_of_a_network_counts() -> None:
    assert most_waiting(PAGE.replace("NUMBER", "17")) == 17
    assert most_waiting(PAGE.replace("NUMBER", "0")) == 3
    assert most_waiting("") == 0


def test_the_flag_is_there_while_many_wait(metrics: str, numbers: list[int], tmp_path: Path) -> None:
    flag, ended = tmp_path / "busy", threading.Event()
    numbers[0] = 32
    thread = threading.Thread(target=Pressure(metrics, flag).watch, args=[ended])
    thread.start()
    try:
        wait_for(flag.exists)
        numbers[0] = 31
        wait_for(lambda: not flag.exists())
    finally:
        ended.set()
        thread.join()


def test_the_flag_goes_when_the_server_does_not_answer(tmp_path: Path) -> None:
    flag, ended = tmp_path / "busy", threading.Event()
    flag.touch()
    ports = free_ports("127.0.0.1", {"metrics": 0})
    thread = threading.Thread(target=Pressure(f"127.0.0.1:{ports['metrics']}", flag).watch, args=[ended])
    thread.start()
    try:
        wait_for(lambda: not flag.exists())
    finally:
        ended.set()
        thread.join()
