from __future__ import annotations

import threading
import time
from collections.abc import Callable

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


def test_the_window_tells_what_a_server_does() -> None:
    window, _ = closed_loop([served_in_turn()], [0], Plan(0.3, 3))
    assert window.seconds >= 0.3
    assert abs(sum(window.latencies) - window.seconds) < 0.1 * window.seconds  # the client waits all the time
    assert min(window.latencies) >= SERVICE
    assert window.first >= SERVICE


def test_first_answers_are_not_in_the_window() -> None:
    slow = [True, True]

    def call(_: int) -> None:
        time.sleep(0.1 if slow and slow.pop() else SERVICE)

    window, _ = closed_loop([call, call], [0], Plan(0.05, 4))
    assert max(window.latencies) < 0.1
    assert window.first >= 0.1


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
