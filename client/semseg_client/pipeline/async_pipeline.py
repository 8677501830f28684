"""The pipeline for asyncio: the same calls and results, without blocking the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..giving_up import given_up
from ..inputs.resolve import Input
from ..triton.protocol import TargetSize
from .pipeline import Failed, Pipeline, create_pipeline

if TYPE_CHECKING:
    from ..results.result import Result

T = TypeVar("T")


class AsyncPipeline:
    """The asynchronous pipeline: `AsyncPipeline(...)` takes the arguments of `create_pipeline`, and `async with` opens it.

        async with AsyncPipeline("semantic_segmentation") as pipeline:
            async for result in pipeline.predict("street.jpg"):
                result.save_to_img("output")

    Its methods raise the same errors as those of `Pipeline`; `async with` raises the errors of `create_pipeline`. If it is
    cancelled, so is an export that it waits for.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments = arguments
        self._options = options
        self._made: Pipeline | None = None

    async def __aenter__(self) -> AsyncPipeline:
        ended = threading.Event()
        try:
            self._made = await asyncio.to_thread(self._make, ended)
        except asyncio.CancelledError:
            ended.set()  # an export may take minutes
            raise
        return self

    def _make(self, ended: threading.Event) -> Pipeline:
        given_up.set(ended)
        made = create_pipeline(*self._arguments, **self._options)
        if ended.is_set():
            made.close()
        return made

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await asyncio.to_thread(self._pipeline.close)

    def predict(
        self,
        input: Input,  # noqa: A002
        target_size: TargetSize | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        *,
        bits: int | None = None,
    ) -> AsyncIterator[Result]:
        """See `Pipeline.predict`."""
        return _awaited(self._pipeline.predict(input, target_size, batch_size, device, bits=bits))

    def attempt(
        self,
        input: Input,  # noqa: A002
        target_size: TargetSize | None = None,
        *,
        bits: int | None = None,
    ) -> AsyncIterator[Result | Failed]:
        """See `Pipeline.attempt`."""
        return _awaited(self._pipeline.attempt(input, target_size, bits=bits))

    @property
    def _pipeline(self) -> Pipeline:
        if self._made is None:
            raise RuntimeError("the pipeline is not open: use async with AsyncPipeline(...) as pipeline")
        return self._made


async def _awaited(results: Iterator[T]) -> AsyncIterator[T]:
    """Yield each of `results`, waiting for it in a thread."""
    end = object()
    busy = threading.Lock()  # a cancelled await leaves its thread running, and a generator cannot be closed while it runs

    def following() -> Any:
        with busy:
            return next(results, end)

    def close() -> None:
        with busy:
            if isinstance(results, Generator):
                results.close()

    try:
        while (result := await asyncio.to_thread(following)) is not end:
            yield result
    finally:
        await asyncio.to_thread(close)
