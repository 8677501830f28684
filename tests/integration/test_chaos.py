"""A short `make chaos`: no request is lost and nothing is left behind, whichever process dies.

SEMSEG_CHAOS sets the number of seconds for which faults are injected; a full run takes 600.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from rich.console import Console

from tests.chaos.report import table
from tests.chaos.run import Verdict, chaos
from tests.chaos.tally import Tally
from tests.support import DEMO

SECONDS = float(os.environ.get("SEMSEG_CHAOS", "30"))


def test_nothing_is_lost_and_nothing_is_left(repository: Path) -> None:
    assert (repository / DEMO).is_dir()
    verdict = chaos(repository, SECONDS, 1, Console(width=200))
    print("\n".join(table(verdict)))
    assert verdict.tally.wrong == []
    assert verdict.left == {"SIGTERM": [], "SIGKILL": []}
    assert min(map(len, verdict.tally.rights.values())) > SECONDS
    assert verdict.tally.hostile.total() > SECONDS


def test_the_verdict_is_bad_if_anything_is_wrong() -> None:
    tally = Tally()
    good = Verdict(tally, [], {}, (Counter(), Counter()), {"SIGTERM": []})
    assert good.good
    tally.fail("wrong label map")
    assert not good.good
    assert not Verdict(Tally(), [], {}, (Counter(), Counter()), {"SIGTERM": ["port 1"]}).good
