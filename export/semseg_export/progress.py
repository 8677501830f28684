"""What an export tells while it runs, free of any terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .checks.parity import Agreement
    from .precision.fidelity import Fidelity


class Meter(Protocol):
    """How far something has got."""

    def update(self, done: int, total: int | None) -> None: ...


class Step(Protocol):
    """One step under way. `done` is what its last line says."""

    done: str

    def show(self, doing: str) -> None:
        """Say what it does now."""

    def meter(self, doing: str, *, in_bytes: bool = False) -> Meter:
        """Say what it does now, and how far that has got."""


class Reporter(Protocol):
    """Whoever watches an export."""

    def step(self, title: str) -> AbstractContextManager[Step]: ...

    def note(self, text: str) -> None: ...

    def agreement(self, agreements: list[Agreement]) -> None:
        """How the network answers beside Paddle."""

    def fidelity(self, fidelity: Fidelity, precision: str) -> None:
        """How it answers beside itself in fp32."""
