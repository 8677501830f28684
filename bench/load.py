"""The closed-loop load: several clients, each of which sends its next request as soon as it has its answer.

Imports only the standard library: the floor runs the same loop in a process of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Call = Callable[[Any], Any]  # sends one encoded request and returns the raw answer


@dataclass(frozen=True)
class Plan:
    """How long to load: at least `seconds` and at least `answers` answers, not counting one for each client at the start."""

    seconds: float
    answers: int


@dataclass
class Window:
    """The measurements. Latencies, in seconds, are of the answers within the window, which starts and ends with an answer."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    first: float = 0.0  # the latency of the very first answer, before the window
    total: int = 0  # answers before, in and after the window
    cpu: float = 0.0  # seconds of processor time that the loading process used for all of them
    failures: list[str] = field(default_factory=list)


class _Loop:
    def __init__(self, bodies: Sequence[Any], clients: int, plan: Plan, clock: Callable[[], float]) -> None:
        self.bodies = bodies
        self.clients = clients
        self.plan = plan
        self.clock = clock
        self.window = Window()
        self.answers: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._next = 0
        self._opened: float | None = None
        self._closed = False

    def run(self, call: Call) -> None:
        while not self._closed:
            with self._lock:
                body = self._next % len(self.bodies)
                self._next += 1
            start = self.clock()
            try:
                answer = call(self.bodies[body])
            except Exception as error:  # noqa: BLE001 - any failure of a rival is reported and ends its load
                with self._lock:
                    self.window.failures.append(f"{type(error).__name__}: {error}"[:300])
                    self._closed = True
                return
            self._take(body, answer, start, self.clock())

    def _take(self, body: int, answer: Any, start: float, end: float) -> None:
        with self._lock:
            window = self.window
            window.total += 1
            self.answers.setdefault(body, answer)
            if self._closed:
                return
            if self._opened is not None:
                window.latencies.append(end - start)
                window.seconds = end - self._opened
                self._closed = window.seconds >= self.plan.seconds and len(window.latencies) >= self.plan.answers
                return
            if window.total == 1:
                window.first = end - start
            if window.total >= self.clients:
                self._opened = end


def closed_loop(
    calls: Sequence[Call], bodies: Sequence[Any], plan: Plan, clock: Callable[[], float] = time.perf_counter
) -> tuple[Window, dict[int, Any]]:
    """Load with one client for each of `calls`. Returns the window, and the first answer to each of `bodies`, by index.

    A failed request ends the load: a window with failures holds no figures to compare.
    """
    loop = _Loop(bodies, len(calls), plan, clock)
    threads = [threading.Thread(target=loop.run, args=[call], daemon=True) for call in calls]
    before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loop.window.cpu = time.process_time() - before
    return loop.window, loop.answers
