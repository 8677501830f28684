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


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one() -> None:
    case = Case()
    case.look(0, network=0)
    case.look(0.5, network=1)
    late = case.answers["draw"]
    case.look(1.0, draw=2, network=2)
    case.look(1.5, draw=2, network=3)
    late()
    assert case.look(3.5, draw=2, network=4) == ["draw"]
