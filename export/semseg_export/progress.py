"""The interface through which a step of an export reports its progress, to a terminal or anything else."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """A progress counter."""

    def update(self, done: int, total: int | None) -> None: ...


class Step(Protocol):
    """A running step. Set `done` to the text to show when it ends."""

    done: str

    def show(self, doing: str) -> None:
        """Say what the step is doing."""

    def meter(self, doing: str, *, in_bytes: bool = False) -> Meter:
        """Say what the step is doing, with a meter for its progress."""
