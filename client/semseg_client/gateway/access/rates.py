"""How much one key may request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Requests per second, per minute, and at once; None means no limit."""

    per_second: int | None = None
    per_minute: int | None = None
    concurrent: int | None = None


class _Bucket:
    """A token bucket that starts full: `most` requests at once, refilled over `period` seconds."""

    def __init__(self, most: int, period: float, now: float) -> None:
        self._most = most
        self._rate = most / period
        self._tokens = float(most)
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until there is a token."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1 - self._tokens) / self._rate)

    def take(self) -> None:
        self._tokens -= 1


class Allowance:
    """What is left of a key's limits in this process. `now` is a monotonic clock's time in seconds."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self._under_way = 0
        rates = ((limits.per_second, 1.0), (limits.per_minute, 60.0))
        self._buckets = [_Bucket(most, period, now) for most, period in rates if most is not None]

    def enter(self, now: float) -> float:
        """Begin a request and return 0 (`leave` must follow), or return the seconds after which to retry."""
        if self.limits.concurrent is not None and self._under_way >= self.limits.concurrent:
            return 1.0
        wait = max((bucket.wait(now) for bucket in self._buckets), default=0.0)
        if wait == 0:
            self._under_way += 1
            for bucket in self._buckets:
                bucket.take()
        return wait

    def leave(self) -> None:
        self._under_way -= 1
