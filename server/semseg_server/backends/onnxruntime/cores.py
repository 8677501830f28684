"""How many cores this process may keep busy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_SYSTEM = Path("/sys")


def cores(system: Path = _SYSTEM, allowed: Iterable[int] | None = None, group: str | None = None) -> int:
    """The number of physical cores, at least 1: a network's arithmetic fills a core with just one of its two logical processors.

    Counts the cores in this process's affinity (or `allowed`), limited by the quotas of its control group (or `group`) and of
    the groups around it, which is how containers are limited (control groups version 2). On a system with neither, such as
    macOS, it counts all processors.
    Sources: Linux, Documentation/admin-guide/cputopology.rst and cgroup-v2.rst.
    """
    processors = _allowed() if allowed is None else allowed
    physical = len({_siblings(system / f"devices/system/cpu/cpu{number}/topology", number) for number in processors})
    groups = PurePosixPath(_own_group() if group is None else group)
    folders = [system / "fs/cgroup" / str(each).lstrip("/") for each in (groups, *groups.parents)]
    return max(1, min(physical, *(_quota(folder / "cpu.max", physical) for folder in folders)))


def _allowed() -> Iterable[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _siblings(topology: Path, number: int) -> str:
    """A string that is the same for all logical processors of a core."""
    try:
        return (topology / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(number)


def _own_group() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")


def _quota(file: Path, unlimited: int) -> int:
    try:
        quota, period = file.read_text().split()
    except (OSError, ValueError):
        return unlimited
    return unlimited if quota == "max" else round(int(quota) / int(period))
