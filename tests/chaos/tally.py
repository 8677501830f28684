"""Counts what callers got."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass
class Tally:
    """`rights` holds the times of right answers by interface; `wrong` describes each answer that was wrong."""

    rights: dict[str, list[float]] = field(default_factory=lambda: {"REST": [], "gRPC": []})
    refused: Counter[str] = field(default_factory=Counter)
    hostile: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    again: int = 0  # requests sent again because the connection broke
    lock: threading.Lock = field(default_factory=threading.Lock)

    def right(self, interface: str) -> None:
        with self.lock:
            self.rights[interface].append(time.monotonic())

    def refuse(self, how: str) -> None:
        with self.lock:
            self.refused[how] += 1

    def harm(self, what: str) -> None:
        with self.lock:
            self.hostile[what] += 1

    def fail(self, what: str) -> None:
        with self.lock:
            self.wrong.append(what)

    def outage(self, begin: float, end: float) -> dict[str, float]:
        """The longest gap between right answers from `begin` to `end`, in seconds by interface."""
        outages = {}
        for interface, times in self.rights.items():
            next_one = min((each for each in times if each >= end), default=end)
            marks = [begin, *(each for each in times if begin < each < end), next_one]
            outages[interface] = max(after - before for before, after in pairwise(marks))
        return outages
