from __future__ import annotations

from semseg_client.hosting.supervision.backoff import Backoff


def test_the_first_deaths_cost_no_time_and_later_ones_twice_as_much_each() -> None:
    backoff = Backoff(free=2)
    pauses = []
    now = 0.0
    for _ in range(10):
        backoff.died(now)
        pauses.append(backoff.retry_at - now)
        now = backoff.retry_at
    assert pauses == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_after_half_a_minute_without_a_death_all_is_forgotten() -> None:
    backoff = Backoff(free=1)
    for now in (0.0, 1.0, 2.0):
        backoff.died(now)
    assert backoff.waiting(3.9)
    backoff.died(34.1)
    assert not backoff.waiting(34.1)
