"""Whether every served model answers, checked with an inference.

Triton reports itself ready even when one of its processes has died, and the status file covers only our own servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ...errors import SemsegError
from ...hosting.supervision.status import Status
from ...triton.client import AsyncClient
from ...triton.protocol import TINY_IMAGE

_FRESH = 2.0  # seconds for which an answer proves a model healthy
_WAIT = 1.5  # seconds that a check waits for all its inferences together
_PATIENCE = 20.0  # seconds after which a silent model is unhealthy: a large image may be ahead in the queue


class Health:
    """The outcome of each model's last inference. `status` returns what the server's supervisor knows."""

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
        """Record that a model has just answered a request that needed all its processes."""
        self._pulse(model).beat()

    async def check(self) -> str | None:
        """Why the service cannot answer, or None; takes at most two seconds. Concurrent checks share their inferences."""
        status = self._status()
        if status.draining:
            return "the service is shutting down"
        if status.faults:
            return next(iter(status.faults.values())).reason
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._checking)

    async def _ask(self) -> str | None:
        names: list[str | None] = [self._model]
        begun_at = self._clock()
        # A large image may keep a model busy for long, but Triton can always list its models unless it hangs.
        proven = any(pulse.fresh for pulse in self._models.values())
        try:
            served = await asyncio.wait_for(self._client.models(refresh=not proven), _WAIT / 2)
            names = [*({model.name for model in served} | ({self._model} if self._model else set()))]
        except asyncio.TimeoutError:
            return "the inference server does not answer"
        except SemsegError:
            pass  # the inference fails, too, and says why
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
        """The inference under way, or a new one if there is none."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._infer())
        return self._asking

    def trouble(self) -> str | None:
        if self._error is not None:
            return str(self._error)
        if self._answered_at == float("-inf"):
            return "no inference has been answered yet"
        waited = self._clock() - self._answered_at
        return None if waited < _PATIENCE else f"no inference has been answered for {waited:.0f} s"

    async def _infer(self) -> None:
        try:
            await self._client.segment(TINY_IMAGE, self._model)
        except SemsegError as error:
            self._error = error
        else:
            self.beat()
