"""How many cores this process may keep busy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_SYSTEM = Path("/sys")


def cores(system: Path = _SYSTEM, allowed: Iterable[int] | None = None) -> int:
    """Physical cores: of two logical processors on one, the arithmetic of a network fills one. At least 1.

    Counts the processors of this process's affinity, unless they are given as `allowed`, and no more than the quota of its
    control group, which is how containers are limited.
    Sources: Linux, Documentation/admin-guide/cputopology.rst and cgroup-v2.rst.
    """
    processors = os.sched_getaffinity(0) if allowed is None else allowed
    physical = len({_siblings(system / f"devices/system/cpu/cpu{number}/topology", number) for number in processors})
    return max(1, min(physical, _quota(system / "fs/cgroup/cpu.max", physical)))


def _siblings(topology: Path, number: int) -> str:
    """What the logical processors of a core have in common."""
    try:
        return (topology / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(number)


def _quota(file: Path, unlimited: int) -> int:
    try:
        quota, period = file.read_text().split()
    except (OSError, ValueError):
        return unlimited
    return unlimited if quota == "max" else round(int(quota) / int(period))
