"""How fast a caller sends its request or reads its response."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Pace:
    """Counts only the time spent waiting for the caller, so that our own slowness is not held against it."""

    moved: int = 0  # bytes
    waited: float = 0.0  # s
    stalled: float = 0.0  # s since a byte moved

    def tick(self, moved: int, seconds: float) -> None:
        """Add `seconds` of waiting for the caller, given the `moved` bytes sent or received so far."""
        self.stalled = 0.0 if moved != self.moved else self.stalled + seconds
        self.moved = moved
        self.waited += seconds

    def too_slow(self, timeout: float, min_rate: int, grace: float) -> bool:
        """Whether nothing has moved for `timeout` seconds, or under `min_rate` bytes per second for more than `grace`."""
        return self.stalled >= timeout or (self.waited > grace and self.moved < min_rate * self.waited)

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.moved / self.waited if self.waited else float("inf")
