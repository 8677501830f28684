"""How many images are sent to a network at once, and how many may wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import DeadlineExceeded, Overloaded

FREE_PIXELS = 4 * 2**20  # total pixels up to which any number of images may be in a network
_NEW = 1 / 16  # weight of the last image in the mean

T = TypeVar("T")


@dataclass(frozen=True)
class _Image:
    pixels: int
    came: float  # by the event loop's clock


@dataclass(frozen=True)
class _Left:
    """The last image that left the network."""

    pixels: int
    at: float  # by the event loop's clock
    took: float  # s since it entered, or since the one before it left


class AdmissionQueue:
    """Admits just enough images to keep a network busy; the others wait here, in the order of arrival.

    Triton would decode each image at once and hold it until its turn comes, some ten megabytes at 2048x1024. It would also
    segment images whose callers have left.

    At most `max_waiting` images wait, and no more than the network can answer within `timeout` seconds.
    """

    def __init__(self, max_waiting: int, timeout: float) -> None:
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._inside: dict[asyncio.Task[Any], _Image] = {}
        self._waiting = 0
        self._last = _Left(1, 0.0, 0.0)
        self._mean = 0.0  # s that an image keeps the network busy
        self._next = asyncio.Lock()  # held by the image whose turn is next; waiters get it in order
        self._leaving = asyncio.Event()
        self._interrupted_at = float("-inf")

    @property
    def images(self) -> int:
        """How many images wait or are in the network."""
        return self._waiting + len(self._inside)

    def overload(self, coming: int = 0) -> Overloaded | None:
        """Why no further image may wait, given that `coming` are on their way; None if one may. `retry_after` is the time until
        all of them are answered."""
        waiting = self._waiting + coming
        drained = waiting * self._mean
        if self._waiting == 0 or (waiting < self._max_waiting and drained < self._timeout):
            return None
        return Overloaded(f"{waiting} images wait for the network", retry_after=drained)

    async def run(self, pixels: int, most: int, deadline: float, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run `ask`, for an image of `pixels` pixels, once fewer than `most` images run or FREE_PIXELS allows it.

        If cancelled, a waiting image leaves the queue, but a running one keeps its place to the end, as it does in Triton.

        Raises:
            Overloaded: too many images wait.
            DeadlineExceeded: other images are running, and it would probably miss the `deadline` (event loop's clock).
        """
        if (overload := self.overload()) is not None:
            raise overload
        self._waiting += 1
        try:
            async with self._next:
                while len(self._inside) >= most and sum(each.pixels for each in self._inside.values()) + pixels > FREE_PIXELS:
                    self._leaving.clear()
                    await self._leaving.wait()
                now = asyncio.get_running_loop().time()
                if self._inside and now + self._time(pixels) > deadline:
                    raise DeadlineExceeded("too little time is left for the network to answer")
                task = asyncio.create_task(ask())
                self._inside[task] = _Image(pixels, now)
                task.add_done_callback(self._leave)
        finally:
            self._waiting -= 1
        return await asyncio.shield(task)

    def interrupted(self) -> None:
        """Note that the network was down, so the times of the images inside say nothing about its pace."""
        self._interrupted_at = asyncio.get_running_loop().time()

    def _time(self, pixels: int) -> float:
        """Estimated seconds for the images inside and one more of `pixels`. Each is assumed to take as long as the last one, or
        proportionally less if `pixels` is smaller."""
        return (len(self._inside) + 1) * self._last.took * min(1, pixels / self._last.pixels)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        image, now = self._inside.pop(task), task.get_loop().time()
        if image.came <= self._interrupted_at:
            self._last = replace(self._last, at=now)
        elif not task.cancelled() and task.exception() is None:
            took = now - max(image.came, self._last.at)
            self._last = _Left(max(image.pixels, 1), now, took)
            self._mean = self._mean + _NEW * (took - self._mean) if self._mean else took
        self._leaving.set()
