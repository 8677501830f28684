from __future__ import annotations

import pytest

from semseg_client.gateway.access.rates import Allowance, Limits


def test_a_second_lets_as_many_through_as_it_may_and_then_one_at_a_time() -> None:
    allowance = Allowance(Limits(per_second=2), 0.0)
    assert [allowance.enter(10.0) for _ in range(3)] == [0, 0, pytest.approx(0.5)]
    assert allowance.enter(10.4) == pytest.approx(0.1)
    assert allowance.enter(10.5) == 0
    assert [allowance.enter(99.0) for _ in range(3)] == [0, 0, pytest.approx(0.5)]  # unused requests do not accumulate


def test_the_stricter_of_two_rates_counts_and_a_refusal_costs_nothing() -> None:
    allowance = Allowance(Limits(per_second=1, per_minute=2), 0.0)
    assert [allowance.enter(now) for now in (0.0, 1.0)] == [0, 0]
    waits = [allowance.enter(2.0) for _ in range(5)]
    assert waits == [pytest.approx(28)] * 5
    assert allowance.enter(30.0) == 0


def test_no_more_are_under_way_than_may_be() -> None:
    allowance = Allowance(Limits(concurrent=2, per_second=3), 0.0)
    assert [allowance.enter(0.0) for _ in range(4)] == [0, 0, 1, 1]
    allowance.leave()
    assert allowance.enter(0.0) == 0  # refused requests did not count against the rate


def test_without_limits_all_come_in() -> None:
    allowance = Allowance(Limits(), 0.0)
    assert {allowance.enter(0.0) for _ in range(1000)} == {0}
