"""The verdict as text and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .run import Verdict

MOST = 20  # wrong answers that are listed


def table(verdict: Verdict) -> list[str]:
    """The verdict as lines for people."""
    tally, (before, after) = verdict.tally, (each.total() for each in verdict.memory)
    rights = {interface: len(times) for interface, times in tally.rights.items()}
    requests = sum(rights.values()) + tally.refused.total() + len(tally.wrong)
    lines = [
        f"requests         {requests}, and {tally.hostile.total()} hostile ones",
        f"right            {sum(rights.values())} ({_counts(rights)})",
        f"refused          {tally.refused.total()} ({_counts(tally.refused)})",
        f"sent again       {tally.again} (the connection broke)",
        f"wrong or lost    {len(tally.wrong)}",
        *(f"                 {each}" for each in tally.wrong[:MOST]),
        f"memory           {before:.0f} MB before, {after:.0f} MB after ({100 * (after - before) / before:+.1f} %)",
        *(f"                 {name} {taken}, {verdict.memory[1][name]}" for name, taken in verdict.memory[0].items()),
        *(f"left by {how:<8} {', '.join(left) or 'nothing'}" for how, left in verdict.left.items()),
        "",
        f"{'fault':<32} times  longest outage (s): REST  gRPC",
    ]
    times = Counter(fault.what for fault in verdict.faults)
    for what, outages in sorted(verdict.outages.items()):
        lines.append(f"{what:<32} {times[what]:>5}  {outages['REST']:>24.1f} {outages['gRPC']:>5.1f}")
    return lines


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict for programs."""
    return {
        "right": {interface: len(times) for interface, times in verdict.tally.rights.items()},
        "refused": dict(verdict.tally.refused),
        "hostile": dict(verdict.tally.hostile),
        "again": verdict.tally.again,
        "wrong": verdict.tally.wrong,
        "memory": verdict.memory,
        "left": verdict.left,
        "outages": verdict.outages,
    }


def _counts(counts: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
