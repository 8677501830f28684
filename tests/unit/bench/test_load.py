from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

import pytest

from bench.load import Call, Plan, closed_loop

SERVICE = 0.005  # s


def served_in_turn() -> Callable[[int], int]:
    """A server that handles one request at a time."""
    turn = threading.Lock()

    def call(body: int) -> int:
        with turn:
            time.sleep(SERVICE)
        return 10 * body

    return call


def test_as_many_requests_are_under_way_as_there_are_clients() -> None:
    under_way: list[int] = []
    now = threading.Semaphore(100)

    def call(_: int) -> None:
        now.acquire()
        under_way.append(100 - now._value)
        time.sleep(SERVICE)
        now.release()

    closed_loop([call] * 4, [0], Plan(0.1, 8))
    assert max(under_way) == 4
    assert sorted(under_way)[len(under_way) // 2] == 4


class Clock:
    """A server, and the time that passes only while it works."""

    def __init__(self, first: float = SERVICE) -> None:
        self.now, self._service = 0.0, first

    def __call__(self) -> float:
        return self.now

    def serve(self, body: int) -> int:
        self.now += self._service
        self._service = SERVICE
        return body


def test_the_window_tells_what_a_server_does() -> None:
    clock = Clock()
    window, _ = closed_loop([clock.serve], [0], Plan(0.3, 3), clock)
    assert window.seconds == pytest.approx(0.3)
    assert window.latencies == pytest.approx([SERVICE] * 60)
    assert window.first == SERVICE


def test_the_answer_before_the_window_is_not_in_it() -> None:
    clock = Clock(first=0.1)
    window, _ = closed_loop([clock.serve], [0], Plan(0.0, 4), clock)
    assert window.latencies == pytest.approx([SERVICE] * 4)
    assert window.first == 0.1


def test_the_window_does_not_open_before_there_are_as_many_answers_as_clients() -> None:
    calls = count(1)

    def seven_answers(_: int) -> None:
        if next(calls) > 7:
            raise ConnectionError("gone")

    window, _ = closed_loop([seven_answers] * 8, [0], Plan(60.0, 1000))
    assert window.failures
    assert window.total == 7
    assert window.latencies == []


def test_every_body_is_sent_and_its_first_answer_kept() -> None:
    window, answers = closed_loop([served_in_turn()] * 2, [1, 2, 3], Plan(0.0, 9))
    assert answers == {0: 10, 1: 20, 2: 30}
    assert window.total >= len(window.latencies) >= 9


def test_a_failure_ends_the_load_and_is_told() -> None:
    def failing(_: int) -> None:
        raise ConnectionError("gone")

    calls: list[Call] = [failing, served_in_turn()]
    window, _ = closed_loop(calls, [0], Plan(60.0, 1000))
    assert window.failures == ["ConnectionError: gone"]
