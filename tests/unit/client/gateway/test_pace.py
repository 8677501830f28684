from __future__ import annotations

from semseg_client.gateway.pace import Pace

LIMITS = (10.0, 1000, 20.0)  # timeout, rate, grace


def test_who_moves_nothing_is_too_slow_after_the_timeout() -> None:
    pace = Pace()
    pace.tick(500, 1)
    pace.tick(500, 9.9)
    assert not pace.too_slow(*LIMITS)
    pace.tick(500, 0.1)
    assert pace.too_slow(*LIMITS)


def test_a_byte_now_and_then_is_enough_only_during_the_grace() -> None:
    pace = Pace()
    for second in range(20):
        pace.tick(second + 1, 1)
        assert not pace.too_slow(*LIMITS)
    pace.tick(21, 1)
    assert pace.too_slow(*LIMITS)


def test_who_keeps_to_the_rate_may_take_for_ever() -> None:
    pace = Pace()
    for second in range(500):
        pace.tick(1000 * (second + 1), 1)
        assert not pace.too_slow(*LIMITS)
    assert pace.rate == 1000
