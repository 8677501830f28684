from __future__ import annotations

from collections.abc import Callable

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


def test_who_answers_does_not_hang_and_is_asked_again_only_if_it_is_suspected_again() -> None:
    case = Case()
    case.look(0, network=0)
    case.look(0.5, network=1)
    case.answers["draw"]()
    for now in range(1, 9):
        assert case.look(now, network=2 + now) == []
    assert case.asked == ["draw"]
    case.look(9, network=20, suspicious=False)
    case.look(10, network=21)
    assert case.asked == ["draw", "draw"]


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


def test_one_of_two_hangs_though_the_other_answers_if_it_has_no_share_in_a_second_of_work() -> None:
    case = Case()
    case.pulse.hung(pair(300, 0), 0, suspicious=True)
    case.pulse.hung(pair(300, 40), 1, suspicious=True)
    case.answers["draw"]()
    assert case.pulse.hung(pair(300, 90), 2, suspicious=True) == []
    assert case.pulse.hung(pair(300, 110), 3, suspicious=True) == [pair(300, 110)[0]]


def test_what_a_process_costs_while_it_is_started_is_no_work() -> None:
    case = Case()
    case.pulse.hung([Stub(1, "draw", "S", 1)], 0, suspicious=True)
    case.pulse.hung([Stub(1, "draw", "S", 1)], 0.2, suspicious=True)
    case.answers["draw"]()
    for now in (1, 2, 3):
        assert case.pulse.hung(pair(1, 400), now, suspicious=True) == []
        case.answers["draw"]()
