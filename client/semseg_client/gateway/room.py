"""How many images are with Triton at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import DeadlineExceeded

ALWAYS = 4 * 2**20  # pixels that may be with a network at once, however many images they make

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


class Room:
    """Lets as many images to a network as keep it busy; the others wait here, as they came, and follow in their order.

    Triton would have each decoded at once and keep it, of 2048x1024 some ten megabytes, until its turn comes; and it would
    segment it also when nobody waits for the answer any longer.
    """

    def __init__(self) -> None:
        self._inside: dict[asyncio.Task[Any], _Image] = {}
        self._last = _Left(1, 0.0, 0.0)
        self._next = asyncio.Lock()  # of the one whose turn is next; it goes on in the order in which it is asked for
        self._leaving = asyncio.Event()

    async def answer(self, pixels: int, most: int, until: float, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `ask`, for an image of so many pixels, returns; begun with less than `most` images, or pixels to spare, inside.

        Who is cancelled while it waits leaves. What has begun keeps its place to its end, as it does in Triton.

        Raises:
            DeadlineExceeded: it would hardly be done at the time `until`, by the event loop's clock: the next may be.
        """
        async with self._next:
            while len(self._inside) >= most and sum(each.pixels for each in self._inside.values()) + pixels > ALWAYS:
                self._leaving.clear()
                await self._leaving.wait()
            now = asyncio.get_running_loop().time()
            if self._inside and now + self._time(pixels) > until:
                raise DeadlineExceeded("no time is left for the network to answer in")
            task = asyncio.create_task(ask())
            self._inside[task] = _Image(pixels, now)
            task.add_done_callback(self._leave)
        return await asyncio.shield(task)

    def _time(self, pixels: int) -> float:
        """For those inside and one more of so many pixels, if they take as long as the last one, a smaller image less."""
        return (len(self._inside) + 1) * self._last.took * min(1, pixels / self._last.pixels)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        image, now = self._inside.pop(task), task.get_loop().time()
        if not task.cancelled() and task.exception() is None:
            self._last = _Left(max(image.pixels, 1), now, now - max(image.came, self._last.at))
        self._leaving.set()
