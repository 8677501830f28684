from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from semseg_client.pipeline.async_pipeline import _awaited


def test_a_cancelled_task_is_cancelled_and_its_results_are_closed() -> None:
    begun, answered, closed = threading.Event(), threading.Event(), threading.Event()

    def results() -> Iterator[int]:
        try:
            yield 1
            begun.set()
            answered.wait(10)
            yield 2
        finally:
            closed.set()

    async def cancelled_in_the_midst() -> None:
        async def take() -> list[int]:
            return [each async for each in _awaited(results())]

        task = asyncio.create_task(take())
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, answered.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed.is_set()

    asyncio.run(cancelled_in_the_midst())
