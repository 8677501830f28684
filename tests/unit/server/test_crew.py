"""Short jobs share the cores when several wait; a single caller's job gets all of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest

from semseg_server.bundle import OUR_BACKENDS

sys.path.insert(0, str(OUR_BACKENDS / "onnxruntime"))  # as Triton does
import crew as module
from crew import Crew

SIZE = 100  # bytes


def lasting(seconds: float) -> Callable[[bool], None]:
    return lambda _: time.sleep(seconds)


@pytest.fixture
def crew() -> Crew:
    """Of two, which knows that SIZE is short, and has just ended a job."""
    crew = Crew(2)
    crew.alone(lasting(0.1), SIZE)
    return crew


def test_a_job_that_waited_in_line_is_shared(crew: Crew) -> None:
    assert crew.shares(SIZE)


def test_a_single_callers_next_job_is_not(crew: Crew) -> None:
    time.sleep(0.05)
    assert not crew.shares(SIZE)


def test_larger_input_than_known_is_not_shared_until_it_proves_short(crew: Crew) -> None:
    assert not crew.shares(SIZE + 1)
    crew.alone(lasting(0.1), SIZE + 1)
    assert crew.shares(SIZE + 1)


def test_what_turns_out_long_is_not_shared_again(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHORT", 0.05)
    crew.alone(lasting(0.1), SIZE)
    assert not crew.shares(SIZE)


def test_what_takes_long_on_one_of_many_cores_is_not_shared() -> None:
    crew = Crew(64)
    crew.alone(lasting(0.1), SIZE)
    assert not crew.shares(SIZE)


def test_one_core_is_never_shared() -> None:
    crew = Crew(1)
    crew.alone(lasting(0.1), SIZE)
    assert not crew.shares(SIZE)


def test_one_more_job_than_cores_is_at_work_and_all_but_the_first_know_of_others(crew: Crew) -> None:
    go, told = threading.Event(), []

    def job(crowded: bool) -> None:
        told.append(crowded)
        go.wait(10)

    for _ in range(2):
        crew.hand(job)
    bringing = threading.Thread(target=crew.hand, args=[job])
    bringing.start()
    bringing.join(0.2)
    assert bringing.is_alive()  # the third is at work, and no fourth may come
    go.set()
    bringing.join(10)
    crew.rest()
    assert told == [False, True, True]


def test_a_job_that_is_alone_waits_for_the_others(crew: Crew) -> None:
    ended: list[str] = []

    def short(_: bool) -> None:
        time.sleep(0.1)
        ended.append("short")

    crew.hand(short)
    crew.alone(lambda _: ended.append("alone"), SIZE + 1)
    assert ended == ["short", "alone"]


def test_a_job_that_fails_leaves_its_place(crew: Crew) -> None:
    def failing(_: bool) -> None:
        raise RuntimeError

    crew.hand(failing)
    crew.rest()
