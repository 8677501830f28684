"""What a step of an export tells while it runs, free of any terminal."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Progress of something that can be counted."""

    def update(self, done: int, total: int | None) -> None: ...


class Step(Protocol):
    """One step under way. `done` is what its last line says."""

    done: str

    def show(self, doing: str) -> None:
        """Say what it does now."""

    def meter(self, doing: str, *, in_bytes: bool = False) -> Meter:
        """Say what it does now, with a meter for its progress."""
