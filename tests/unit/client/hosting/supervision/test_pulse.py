from __future__ import annotations

from collections.abc import Callable

import pytest

from semseg_client.hosting.supervision.pulse import Pulse
from semseg_client.hosting.supervision.stubs import Stub


class Case:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], None]] = {}
        self.pulse = Pulse(self.ask)

    def ask(self, entry: str, answered: Callable[[], None]) -> None:
        self.asked.append(entry)
        self.answers[entry] = answered

    def look(self, now: float, *, draw: int = 1, network: int = 1, suspicious: bool = True) -> list[str]:
        living = [Stub(1, "draw", "S", draw), Stub(2, "network", "S", network)]
        return [stub.entry for stub in self.pulse.hung(living, now, suspicious=suspicious)]


def test_nobody_is_asked_without_a_reason() -> None:
    case = Case()
    for now in range(9):
        assert case.look(now, suspicious=False) == []
    assert case.asked == []


def test_who_works_is_not_asked() -> None:
    case = Case()
    for now in range(9):
        case.look(now, draw=now, network=now)
    assert case.asked == []


def test_who_neither_moves_nor_answers_hangs() -> None:
    case = Case()
    case.look(0, network=0)
    assert case.look(0.5, network=1) == []
    assert case.look(1.0, network=2) == []
    assert case.look(2.0, network=3) == ["draw"]
    assert case.asked == ["draw"]


def test_who_answers_does_not_hang_and_is_asked_again_while_the_suspicion_lasts() -> None:
    case = Case()
    case.look(0, network=0)
    for now in range(1, 9):
        assert case.look(now, network=1 + now) == []
        assert case.asked == ["draw"] * now
        case.answers["draw"]()
    for now in range(9, 12):
        case.look(now, network=1 + now, suspicious=False)
    assert case.asked == ["draw"] * 8


def test_an_entry_has_one_question_at_a_time_and_a_late_answer_is_one() -> None:
    case = Case()
    case.look(0, network=0)
    case.look(0.5, network=1)
    case.look(1.0, draw=2, network=2)
    case.look(1.5, draw=2, network=3)
    assert case.asked == ["draw"]
    case.answers["draw"]()
    assert case.look(3.5, draw=2, network=4) == []


def test_who_waits_for_a_processor_or_a_disc_does_not_hang() -> None:
    case = Case()
    for state in ("R", "D"):
        for now in range(9):
            assert case.pulse.hung([Stub(1, "draw", state, 1)], now, suspicious=True) == []
    assert case.asked == []


def pair(first: int, second: int) -> list[Stub]:
    return [Stub(1, "draw", "S", first), Stub(2, "draw", "S", second)]


def test_one_of_two_hangs_though_the_other_is_busy_with_something_long() -> None:
    case = Case()
    found = [case.pulse.hung(pair(1, ticks), ticks / 4, suspicious=True) for ticks in range(6)]
    assert found == [[], [], [], [], [], [pair(1, 5)[0]]]


def test_one_of_two_hangs_if_it_has_no_share_in_the_answers() -> None:
    case = Case()
    for now in range(6):
        [] = case.pulse.hung([Stub(1, "draw", "S", 1, ran=7), Stub(2, "draw", "S", 1, ran=now)], now, suspicious=True)
        case.answers.get("draw", lambda: None)()
    assert [
        stub.pid for stub in case.pulse.hung([Stub(1, "draw", "S", 1, ran=7), Stub(2, "draw", "S", 1, ran=9)], 9, suspicious=True)
    ] == [1]


@pytest.mark.parametrize("measured", [True, False])
def test_two_that_answer_in_turn_do_not_hang(measured: bool) -> None:
    case = Case()
    for now in range(30):
        both = [Stub(pid, "draw", "S", 1, ran=(now + pid) // 2 if measured else None) for pid in (1, 2)]
        assert case.pulse.hung(both, now, suspicious=True) == []
        case.answers.get("draw", lambda: None)()


def test_a_long_request_of_one_of_two_does_not_accuse_the_other() -> None:
    case = Case()
    for now in range(30):
        both = [Stub(1, "draw", "S", 100 * now, ran=now), Stub(2, "draw", "S", 1, ran=now)]
        assert case.pulse.hung(both, now, suspicious=True) == []
        case.answers.get("draw", lambda: None)()  # answered by the idle one


def test_who_only_wakes_and_sleeps_hangs() -> None:
    case = Case()
    found = [case.pulse.hung([Stub(1, "draw", "S", 1, ran=now)], now, suspicious=True) for now in range(3)]
    assert [[stub.pid for stub in each] for each in found] == [[], [], [1]]


def test_a_question_that_was_lost_with_a_process_does_not_accuse_its_successor() -> None:
    case = Case()
    for now, pid in ((0, 1), (0.5, 1), (1.5, 1)):
        found = case.pulse.hung([Stub(pid, "draw", "S", 1)], now, suspicious=True)
    assert [stub.pid for stub in found] == [1]
    lost = case.answers["draw"]
    for now in (2, 2.5):
        case.pulse.hung([Stub(2, "draw", "S", 1)], now, suspicious=True)
    assert case.asked == ["draw", "draw"]
    case.answers["draw"]()
    lost()
    assert case.pulse.hung([Stub(2, "draw", "S", 1)], 4, suspicious=True) == []
