from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from semseg_client.hosting.supervision.healer import Healer
from semseg_client.hosting.supervision.served_repository import ServedRepository
from semseg_client.hosting.supervision.stubs import Stub

DRAW, SECOND, OTHER = (Stub(pid, entry, "S", 0) for pid, entry in enumerate(("draw", "draw", "A_network")))


class Triton:
    """Holds the loaded revisions and the number of failed loads."""

    def __init__(self) -> None:
        self.has: set[tuple[str, str]] = set()
        self.failed = 0

    def loaded(self, name: str, revision: str) -> bool:
        return (name, revision) in self.has

    def failures(self, _name: str) -> int:
        return self.failed


class Case:
    """A healer for one entry, `draw`, which needs two processes."""

    def __init__(self, folder: Path) -> None:
        for path in (folder / "owner" / "draw", folder / "served"):
            path.mkdir(parents=True)
        (folder / "owner" / "draw" / "config.pbtxt").write_text('backend: "python"')
        self.served = ServedRepository(folder / "owner", folder / "served", lambda _: None)
        self.served.renew("draw")
        self.triton = Triton()
        self.said: list[str] = []
        self.healer = Healer(self.served, self.triton, lambda _: 2, self.said.append)
        self.healer.look([DRAW, SECOND], 0.0)

    @property
    def revision(self) -> str:
        return self.served.revisions["draw"]

    def lack(self, living: list[Stub], now: float) -> None:
        """Look twice, because a single look may be mistaken."""
        self.healer.look(living, now - 0.1)
        self.healer.look(living, now)

    def loads(self) -> None:
        self.triton.has.add(("draw", self.revision))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_an_entry_with_all_its_processes_is_left_alone(case: Case) -> None:
    case.healer.look([DRAW, SECOND, OTHER], 1.0)
    assert (case.revision, case.healer.faults()) == ("1", {})


def test_an_entry_that_has_lost_a_process_is_renewed_once_and_faulty_until_it_is_loaded(case: Case) -> None:
    for now in (0.5, 1.0, 1.5, 2.0):
        case.healer.look([OTHER], now)
    assert case.revision == "2"
    assert list(case.healer.faults()) == ["draw"]
    case.loads()
    case.healer.look([DRAW, SECOND], 3.0)
    assert case.healer.faults() == {}
    assert case.said == [
        "a process of draw has died; reloading the model now",
        "draw answers again, 2.0 s after its death was noticed",
    ]


def test_while_another_process_of_an_entry_lives_it_goes_on(case: Case) -> None:
    case.lack([DRAW], 1.0)
    assert (case.revision, case.healer.faults()) == ("2", {})
    case.loads()
    case.healer.look([DRAW, SECOND], 2.0)
    case.lack([OTHER], 3.0)
    assert list(case.healer.faults()) == ["draw"]


def test_an_entry_that_runs_in_no_process_of_its_own_lacks_none(tmp_path: Path) -> None:
    case = Case(tmp_path)
    healer = Healer(case.served, case.triton, lambda _: 2, case.said.append)
    healer.look([OTHER], 1.0)
    assert case.revision == "1"


def test_what_dies_while_it_is_loaded_is_renewed_again(case: Case) -> None:
    case.lack([DRAW], 1.0)
    case.triton.failed = 1
    case.healer.look([DRAW], 2.0)
    assert case.revision == "3"


def test_what_dies_again_and_again_is_left_alone_for_a_while(case: Case) -> None:
    for death in range(6):
        case.lack([OTHER], death)
        case.loads()
        case.healer.look([DRAW, SECOND], death + 0.5)
    assert case.revision == "6"
    case.healer.look([OTHER], 5.9)
    assert case.healer.faults()["draw"].final
    case.healer.look([OTHER], 6.1)
    assert case.revision == "7"
    assert not case.healer.faults()["draw"].final


def test_what_somebody_else_has_loaded_is_spared(case: Case) -> None:
    case.healer.spared.add("draw")
    case.lack([DRAW], 1.0)
    case.healer.restarted(2.0)
    case.triton.failed = 1
    case.healer.look([DRAW], 3.0)
    assert case.revision == "1"


def test_after_a_restart_everything_is_faulty_until_it_is_loaded(case: Case) -> None:
    case.healer.restarted(1.0)
    assert list(case.healer.faults()) == ["draw"]
    case.loads()
    case.healer.look([DRAW, SECOND], 3.0)
    assert case.said == ["tritonserver serves again, 2.0 s after it was started"]


def test_a_process_that_is_missing_for_one_look_has_not_died(case: Case) -> None:
    for living in ([DRAW], [DRAW, SECOND], [DRAW], [DRAW, SECOND]):
        case.healer.look(living, 1.0)
    assert case.revision == "1"


def test_what_is_healed_is_what_was_served_whatever_the_owner_has_made_of_it(case: Case, tmp_path: Path) -> None:
    (tmp_path / "owner" / "draw" / "config.pbtxt").write_text("half an exp")
    case.lack([DRAW], 1.0)
    assert case.revision == "2"
    assert case.served.config("draw").backend == "python"


def test_an_entry_that_cannot_be_copied_keeps_no_other_from_healing(case: Case, tmp_path: Path) -> None:
    for name in ("a_bad_one", "later"):
        (tmp_path / "owner" / name).mkdir()
        (tmp_path / "owner" / name / "config.pbtxt").write_text('backend: "python"')
    case.served.remove(["draw"])
    for name in ("a_bad_one", "later"):
        case.served.renew(name)
    shutil.rmtree(tmp_path / "served" / "copies" / "a_bad_one")
    case.healer.look([Stub(1, "a_bad_one", "S", 0), Stub(2, "later", "S", 0)], 1.0)
    with pytest.raises(OSError, match="a_bad_one"):
        case.healer.look([], 2.0)
    assert case.served.revisions["later"] == "4"


def test_a_process_of_a_replaced_revision_that_never_ends_is_no_substitute(case: Case) -> None:
    third, fourth = Stub(11, "draw", "S", 0), Stub(12, "draw", "S", 0)
    case.lack([DRAW], 1.0)
    case.loads()
    case.lack([DRAW, third, fourth], 2.0)
    assert (case.revision, case.healer.faults()) == ("2", {})
    case.lack([DRAW, third], 3.0)
    assert case.revision == "3"


def test_what_could_not_be_replaced_goes_on(case: Case) -> None:
    for failed in range(8):
        case.lack([DRAW], failed)
        case.triton.failed = failed
        assert case.healer.faults() == {}
