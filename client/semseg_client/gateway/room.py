"""How many images are with Triton at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

ALWAYS = 4 * 2**20  # pixels that may be with a network at once, however many images they make

T = TypeVar("T")


class Room:
    """Lets as many images to a network as keep it busy; the others wait here, as they came, and follow in their order.

    Triton would have each decoded at once and keep it, of 2048x1024 some ten megabytes, until its turn comes; and it would
    segment it also when nobody waits for the answer any longer.
    """

    def __init__(self) -> None:
        self._inside: dict[asyncio.Task[Any], int] = {}
        self._next = asyncio.Lock()  # of the one whose turn is next; it goes on in the order in which it is asked for
        self._left = asyncio.Event()

    async def answer(self, pixels: int, most: int, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `ask`, for an image of so many pixels, returns; begun with less than `most` images, or pixels to spare, inside.

        Who is cancelled while it waits leaves. What has begun keeps its place to its end, as it does in Triton.
        """
        async with self._next:
            while len(self._inside) >= most and sum(self._inside.values()) + pixels > ALWAYS:
                self._left.clear()
                await self._left.wait()
            task = asyncio.create_task(ask())
            self._inside[task] = pixels
            task.add_done_callback(self._leave)
        return await asyncio.shield(task)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        del self._inside[task]
        self._left.set()
