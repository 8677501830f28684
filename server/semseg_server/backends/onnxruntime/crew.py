"""Runs short jobs side by side, each on one thread, when several wait; a job that is alone gets all threads.

A short network cannot keep several cores busy: its operators end before all threads have begun, and some use one thread only. Two
images at once, each on a core of its own, take less time than one after the other on both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

# Seconds on one thread, at most. Longer jobs gain less, each takes its memory meanwhile, and a few of them leave cores idle.
SHORT = 0.5
# Of the time that a job takes. A job that comes so soon after another has waited in line: a single caller first gets an answer,
# and their next image is decoded. If this is wrong, the job only pays for changing threads.
AT_ONCE = 0.15

Answers = TypeVar("Answers")


class Crew:
    """For a network that has `size` cores. A single thread brings the jobs: Triton's.

    One job more than there are cores is at work, because a job that hands over its answer leaves its core idle.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._short = 0  # the largest input, in bytes, known to be short
        self._took = 0.0  # seconds, by the latest job that was alone
        self._ready_since = 0.0
        self._busy = 0
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(size + 1, "crew")

    def shares(self, size: int) -> bool:
        """Whether a job with that much input, in bytes, should run beside others."""
        in_line = self._busy > 0 or monotonic() - self._ready_since < AT_ONCE * self._took
        return self.size > 1 and size <= self._short and in_line

    def hand(self, job: Callable[[bool], None]) -> None:
        """Run `job` on another thread; it is told whether others are at work. Returns once a further one may come."""
        with self._changed:
            self._busy += 1
            self._pool.submit(self._work, job, self._busy > 1)
            self._changed.wait_for(lambda: self._busy <= self.size)
        self._ready_since = monotonic()

    def _work(self, job: Callable[[bool], None], crowded: bool) -> None:
        try:
            job(crowded)
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def alone(self, job: Callable[[bool], Answers], size: int) -> Answers:
        """Run `job` here once no other is at work, and learn whether that much input is short."""
        self.rest()
        since = monotonic()
        answers = job(False)
        self._ready_since = monotonic()
        self._took = self._ready_since - since
        self._short = max(self._short, size) if self._took * self.size <= SHORT else min(self._short, size - 1)
        return answers

    def rest(self) -> None:
        """Wait until no job is at work."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy)
