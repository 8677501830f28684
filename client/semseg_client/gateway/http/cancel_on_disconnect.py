"""Cancels work when the caller hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from ..failures import BROKEN_OFF, Failed

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the caller hangs up first. The request's body must already have been read.

    Raises:
        Failed: the caller hung up.
    """
    working, gone = asyncio.create_task(work), asyncio.create_task(_hung_up(request))
    working.add_done_callback(lambda done: done.cancelled() or done.exception())  # else asyncio logs its exception
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Failed(BROKEN_OFF)
        return working.result()
    finally:
        working.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
