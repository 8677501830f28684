"""How soon to restart something that keeps crashing."""

from __future__ import annotations

_FORGIVEN = 30.0  # s without a death, after which earlier deaths are forgotten
_LONGEST = 60.0  # s


class Backoff:
    """No pause after the first `free` deaths in a row; then 1 s, 2 s, 4 s, up to a minute."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._deaths = 0
        self.retry_at = float("-inf")  # by the caller's clock, in s

    def died(self, now: float) -> None:
        """Count a death, and set `retry_at` to the time for the restart."""
        forgotten = now - self.retry_at > _FORGIVEN
        self._deaths = 1 if forgotten else self._deaths + 1
        excess = self._deaths - self._free
        self.retry_at = now + (min(2.0 ** (excess - 1), _LONGEST) if excess > 0 else 0.0)

    def waiting(self, now: float) -> bool:
        """Whether the pause is not over yet."""
        return now < self.retry_at
