"""How many images a network has at once, and how many may wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..errors import DeadlineExceeded, Overloaded

FREE_PIXELS = 4 * 2**20  # that may be with a network at once, however many images they make
_NEW = 1 / 16  # weight of the last image in the mean

T = TypeVar("T")


@dataclass(frozen=True)
class _Image:
    pixels: int
    came: float  # by the event loop's clock


@dataclass(frozen=True)
class _Left:
    """The image that has left last."""

    pixels: int
    at: float  # by the event loop's clock
    took: float  # s, since it came or the one before it left


class AdmissionQueue:
    """Lets as many images to a network as keep it busy; the others wait here and follow in the order in which they came.

    Triton would decode each at once and keep it, of 2048x1024 some ten megabytes, until its turn comes; and it would
    segment it also when nobody waits for the answer any longer.

    Not more than `max_waiting` images wait, nor more than the network answers within `timeout` seconds.
    """

    def __init__(self, max_waiting: int, timeout: float) -> None:
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._inside: dict[asyncio.Task[Any], _Image] = {}
        self._waiting = 0
        self._last = _Left(1, 0.0, 0.0)
        self._mean = 0.0  # s, for which the network is busy with an image
        self._next = asyncio.Lock()  # of the one whose turn is next; it goes on in the order in which it is asked for
        self._leaving = asyncio.Event()
        self._interrupted_at = float("-inf")

    @property
    def images(self) -> int:
        """That wait or are inside."""
        return self._waiting + len(self._inside)

    def overload(self, coming: int = 0) -> Overloaded | None:
        """Why no other image may wait beside so many that are about to, with the time in which all these will be answered; None:
        it may."""
        waiting = self._waiting + coming
        drained = waiting * self._mean
        if self._waiting == 0 or (waiting < self._max_waiting and drained < self._timeout):
            return None
        return Overloaded(f"{waiting} images wait for the network", retry_after=drained)

    async def run(self, pixels: int, most: int, deadline: float, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `ask`, for an image of so many pixels, returns; begun with less than `most` images, or pixels to spare, inside.

        Who is cancelled while it waits leaves. What has begun keeps its place to its end, as it does in Triton.

        Raises:
            Overloaded: too many wait.
            DeadlineExceeded: it would hardly be done by the `deadline`, by the event loop's clock: the next may be.
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
                    raise DeadlineExceeded("no time is left for the network to answer in")
                task = asyncio.create_task(ask())
                self._inside[task] = _Image(pixels, now)
                task.add_done_callback(self._leave)
        finally:
            self._waiting -= 1
        return await asyncio.shield(task)

    def interrupted(self) -> None:
        """Note that the network has been away. How long the images inside take says nothing about its pace."""
        self._interrupted_at = asyncio.get_running_loop().time()

    def _time(self, pixels: int) -> float:
        """For those inside and one more of so many pixels, if they take as long as the last one, a smaller image less."""
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
