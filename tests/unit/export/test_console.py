"""Tables in a log and on a narrow terminal: every figure is whole."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from semseg_export.checks.parity import Agreement
from semseg_export.console import ConsoleReporter
from semseg_export.precision.fidelity import Fidelity


@pytest.fixture(params=[False, True], ids=["log", "narrow terminal"])
def reporter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConsoleReporter:
    monkeypatch.setenv("COLUMNS", "40")
    return ConsoleReporter(Console(file=StringIO(), force_terminal=request.param))


def shown(reporter: ConsoleReporter) -> str:
    assert isinstance(reporter.console.file, StringIO)
    return reporter.console.file.getvalue()


def test_agreement_is_whole(reporter: ConsoleReporter) -> None:
    reporter.agreement([Agreement(8, 2048, 16384, 12_345, 150, 3.1e-05, 29.5, 1.2e-07)], "Paddle")
    for part in ("16384x2048", "logit range", "12345", "99.9954%", "3.1e-05", "1.2e-07"):
        assert part in shown(reporter)
    assert "…" not in shown(reporter)


def test_fidelity_is_whole(reporter: ConsoleReporter) -> None:
    reporter.fidelity(Fidelity(1234, 0.98765, 0.91234, 0.87654), "int8")
    for part in ("worst image", "98.7650%", "91.2340%", "0.8765"):
        assert part in shown(reporter)
