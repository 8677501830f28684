"""Who is refused while too many images are waiting."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "model_repository/preprocess/1"))  # as Triton does
pressure = import_module("pressure")

FORGED = [None, True, 1, "", "true", "another ticket", "b'the ticket'", "Ä"]


@pytest.mark.parametrize("ticket", FORGED)
def test_only_the_right_ticket_passes_while_the_server_is_busy(tmp_path: Path, ticket: object) -> None:
    (tmp_path / "ticket").write_text("the ticket")
    refuses = pressure.Pressure(tmp_path).refuses
    assert not refuses(ticket)
    (tmp_path / "busy").touch()
    assert refuses(ticket)
    assert not refuses("the ticket")


@pytest.mark.parametrize("ticket", FORGED)
@pytest.mark.parametrize("issued", [False, True])
def test_without_a_ticket_nobody_passes(tmp_path: Path, ticket: object, issued: bool) -> None:
    if issued:
        (tmp_path / "ticket").touch()  # an empty ticket, as from a full disk
    (tmp_path / "busy").touch()
    assert pressure.Pressure(tmp_path).refuses(ticket)
