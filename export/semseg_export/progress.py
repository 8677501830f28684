"""How a running step of an export reports its progress, independent of any terminal."""

from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """The progress of a step that counts something."""

    def update(self, done: int, total: int | None) -> None: ...


class Step(Protocol):
    """A running step. `done` is the text of its last line."""

    done: str

    def show(self, doing: str) -> None:
        """Say what the step is doing."""

    def meter(self, doing: str, *, in_bytes: bool = False) -> Meter:
        """Say what the step is doing, with a meter for its progress."""
