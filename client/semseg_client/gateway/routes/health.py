"""Whether every served model answers, found by asking it.

Triton calls itself ready even when one of its processes has died, and a file tells only of servers of our own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ...errors import SemsegError
from ...hosting.supervision.status import Status
from ...triton.client import AsyncClient
from ...triton.protocol import TINY_IMAGE

_FRESH = 2.0  # s, for which an answer proves that a model is well
_WAIT = 1.5  # s, that who asks waits for all inferences together
_PATIENCE = 20.0  # s, after which a model without an answer is not well: a large image may be before the inference


class Health:
    """What the last inference of each model told. `status` tells what the supervisor of the server knows."""

    def __init__(
        self, client: AsyncClient, model: str | None, status: Callable[[], Status], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._model = model
        self._status = status
        self._clock = clock
        self._models: dict[str | None, _Pulse] = {}
        self._checking: asyncio.Task[str | None] | None = None

    def answered(self, model: str) -> None:
        """Take note that a model has just answered somebody, with all that it can."""
        self._pulse(model).beat()

    async def check(self) -> str | None:
        """What keeps the service from answering, or None; within two seconds. Many who ask at once share the inferences."""
        status = self._status()
        if status.draining:
            return "the service is about to end"
        if status.faults:
            return next(iter(status.faults.values())).reason
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._checking)

    async def _ask(self) -> str | None:
        names: list[str | None] = [self._model]
        begun_at = self._clock()
        # A large image may keep a model busy for long. Whether Triton itself hangs shows sooner: it tells its models at any time.
        proven = any(pulse.fresh for pulse in self._models.values())
        try:
            served = await asyncio.wait_for(self._client.models(refresh=not proven), _WAIT / 2)
            names = [*({model.name for model in served} | ({self._model} if self._model else set()))]
        except asyncio.TimeoutError:
            return "the inference server does not answer"
        except SemsegError:
            pass  # the inference tells, too
        pulses = [self._pulse(name) for name in names]
        begun = [pulse.ask() for pulse in pulses if not pulse.fresh]
        if begun:
            await asyncio.wait(begun, timeout=max(begun_at + _WAIT - self._clock(), 0.1))
        return next((reason for pulse in pulses if (reason := pulse.trouble()) is not None), None)

    def _pulse(self, model: str | None) -> _Pulse:
        if model not in self._models:
            self._models[model] = _Pulse(self._client, model, self._clock)
        return self._models[model]


class _Pulse:
    """The inferences of one model."""

    def __init__(self, client: AsyncClient, model: str | None, clock: Callable[[], float]) -> None:
        self._client = client
        self._model = model
        self._clock = clock
        self._answered_at = float("-inf")
        self._error: SemsegError | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def fresh(self) -> bool:
        return self._clock() - self._answered_at < _FRESH

    def beat(self) -> None:
        self._answered_at = self._clock()
        self._error = None

    def ask(self) -> asyncio.Task[None]:
        """An inference that is under way, one at a time."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._infer())
        return self._asking

    def trouble(self) -> str | None:
        if self._error is not None:
            return str(self._error)
        if self._answered_at == float("-inf"):
            return "no inference was answered yet"
        waited = self._clock() - self._answered_at
        return None if waited < _PATIENCE else f"no inference was answered for {waited:.0f} s"

    async def _infer(self) -> None:
        try:
            await self._client.segment(TINY_IMAGE, self._model)
        except SemsegError as error:
            self._error = error
        else:
            self.beat()
