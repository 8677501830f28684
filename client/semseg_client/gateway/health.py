"""Whether the default model answers, found by asking it."""

from __future__ import annotations

import asyncio
import time

from ..client import AsyncClient
from ..conversation import TINY_IMAGE
from ..errors import DeadlineExceeded, SemsegError

_FRESH = 2.0  # s, for which what was found holds
_PATIENCE = 20.0  # s, for which an inference is waited for: one of a large image may be before it


class Health:
    """What the last inference told. Triton calls itself ready even when one of its processes has died."""

    def __init__(self, client: AsyncClient, model: str | None) -> None:
        self._client = client
        self._model = model
        self._lock = asyncio.Lock()
        self._found_at = -_FRESH
        self._error: SemsegError | None = None

    def answered(self) -> None:
        """Take note that the model has just answered somebody."""
        self._found(None)

    async def check(self) -> SemsegError | None:
        """What keeps the model from answering, or None. Many who ask at once share one tiny inference."""
        async with self._lock:
            if time.monotonic() - self._found_at >= _FRESH:
                self._found(await self._ask())
            return self._error

    async def _ask(self) -> SemsegError | None:
        try:
            await asyncio.wait_for(self._client.segment(TINY_IMAGE, self._model), _PATIENCE)
        except asyncio.TimeoutError:
            return DeadlineExceeded(f"no inference was answered within {_PATIENCE:g} s")
        except SemsegError as error:
            return error
        return None

    def _found(self, error: SemsegError | None) -> None:
        self._found_at = time.monotonic()
        self._error = error
