"""The processes in which tritonserver runs Python models, read from /proc.

tritonserver starts one for each instance, never replaces a dead one, and still reports itself ready.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_PROGRAM = b"triton_python_backend_stub"
_STOPPED, _DEAD, _AT_WORK = "T", ("Z", "X"), ("R", "D")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Stub:
    """One process: its repository entry, its state as in proc(5), its CPU time and its start time, both in ticks.

    `ran` is the CPU time, in ns, of its main thread, which runs the model; None if the kernel does not report it.
    """

    pid: int
    entry: str
    state: str
    ticks: int
    started: int = 0
    ran: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has stopped it. A debugger's stop is a different state."""
        return self.state == _STOPPED

    @property
    def asleep(self) -> bool:
        """Whether it waits for something other than CPU or disk."""
        return self.state not in _AT_WORK

    def kill(self, proc: Path = _PROC) -> None:
        """Kill it, unless its pid belongs to another process by now."""
        with suppress(OSError):
            if _stat(f"{proc}/{self.pid}").started == self.started:
                os.kill(self.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Family:
    """The children of a tritonserver: its live stubs, and the number of its zombie processes.

    It never reaps a process that died at work, nor frees that process's memory.
    """

    stubs: tuple[Stub, ...]
    dead: int


def family(server: int, proc: Path = _PROC) -> Family:
    """The children of the tritonserver with that process id."""
    living, dead = [], 0
    for pid in _children(server, str(proc)):
        folder = f"{proc}/{pid}"
        with suppress(OSError):  # it has ended in the meantime
            stat = _stat(folder)
            dead += stat.state in _DEAD
            words = _read(f"{folder}/cmdline").split(b"\0")
            if words[0].endswith(_PROGRAM) and stat.state not in _DEAD:
                # The model's file: <repository>/<entry>/<version>/<file>
                entry = words[1].decode(errors="replace").split("/")[-3]
                living.append(Stub(int(pid), entry, stat.state, stat.ticks, stat.started, _ran(folder)))
    return Family(tuple(living), dead)


def resume(pid: int) -> None:
    """Continue a process that SIGSTOP has stopped."""
    if stopped(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def stopped(pid: int, proc: Path = _PROC) -> bool:
    """Whether SIGSTOP has stopped the process."""
    with suppress(OSError):
        return _stat(f"{proc}/{pid}").state == _STOPPED
    return False


def _children(parent: int, proc: str) -> list[str]:
    """The children of all the parent's threads, if the kernel lists them; otherwise all processes with that parent."""
    threads = f"{proc}/{parent}/task"
    if os.path.exists(threads) and not os.path.exists(f"{threads}/{parent}/children"):  # noqa: PTH110 - see _read
        return [name for name in os.listdir(proc) if name.isdecimal() and _parent(f"{proc}/{name}") == parent]  # noqa: PTH208
    found: list[str] = []
    with suppress(OSError):
        for thread in os.listdir(threads):  # noqa: PTH208
            with suppress(OSError):
                found += _read(f"{threads}/{thread}/children").decode().split()
    return found


def _ran(process: str) -> int | None:
    with suppress(OSError):
        return int(_read(f"{process}/schedstat").split()[0])
    return None


def _parent(process: str) -> int | None:
    with suppress(OSError):
        return _stat(process).parent
    return None


class _Stat(NamedTuple):
    state: str
    parent: int
    ticks: int  # user and system time
    started: int


def _stat(process: str) -> _Stat:
    """Fields 3, 4, 14, 15 and 22 of stat in proc(5). The program's name before them, in brackets, may contain anything."""
    fields = _read(f"{process}/stat").decode(errors="replace").rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[19]))


def _read(file: str) -> bytes:
    """Read a small file of /proc. Dozens are read four times a second, and pathlib would take ten times as long."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        return os.read(descriptor, 2**16)
    finally:
        os.close(descriptor)
