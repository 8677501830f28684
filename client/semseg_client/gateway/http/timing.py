"""How long the stages of an answer took, for the `Server-Timing` header (W3C Server Timing)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """The time spent in each stage, in the order in which the stages began."""

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the block's duration to this stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._taken[name] = self._taken.get(name, 0.0) + time.perf_counter() - begin

    @property
    def header(self) -> str:
        """`parse;dur=0.4, inference;dur=25.1`, in milliseconds."""
        return ", ".join(f"{name};dur={taken * 1000:.1f}" for name, taken in self._taken.items())
