"""The processes in which tritonserver runs Python models, read from /proc.

tritonserver starts one for each instance, never replaces a dead one, and calls itself ready anyway.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_PROGRAM = "triton_python_backend_stub"
_STOPPED, _DEAD, _AT_WORK = "T", ("Z", "X"), ("R", "D")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Stub:
    """One process: its repository entry, its state as in proc(5), its CPU time and its start time, both in ticks."""

    pid: int
    entry: str
    state: str
    ticks: int
    started: int = 0

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it. A debugger's stop is another state."""
        return self.state == _STOPPED

    @property
    def asleep(self) -> bool:
        """Whether it waits for something other than CPU or disk."""
        return self.state not in _AT_WORK

    def kill(self, proc: Path = _PROC) -> None:
        """Kill it, unless its pid belongs to another process by now."""
        with suppress(OSError):
            if _stat(proc / str(self.pid)).started == self.started:
                os.kill(self.pid, signal.SIGKILL)


def stubs(server: int, proc: Path = _PROC) -> list[Stub]:
    """The living stubs of the tritonserver with that process id."""
    found = []
    for pid in _children(server, proc):
        with suppress(OSError):  # it has ended meanwhile
            words = (proc / pid / "cmdline").read_bytes().split(b"\0")
            stat = _stat(proc / pid)
            if words[0].endswith(_PROGRAM.encode()) and stat.state not in _DEAD:
                # The model's file: <repository>/<entry>/<version>/<file>
                entry = Path(words[1].decode(errors="replace")).parts[-3]
                found.append(Stub(int(pid), entry, stat.state, stat.ticks, stat.started))
    return found


def zombies(server: int, proc: Path = _PROC) -> int:
    """The number of dead processes that tritonserver holds. It never releases one that died at work, nor its memory."""
    count = 0
    for pid in _children(server, proc):
        with suppress(OSError):
            count += _stat(proc / pid).state in _DEAD
    return count


def resume(pid: int) -> None:
    """Continue a process that SIGSTOP holds."""
    if stopped(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def stopped(pid: int, proc: Path = _PROC) -> bool:
    """Whether SIGSTOP holds the process."""
    with suppress(OSError):
        return _stat(proc / str(pid)).state == _STOPPED
    return False


def _children(parent: int, proc: Path) -> list[str]:
    """The children of all threads, if the kernel lists them; otherwise all processes with that parent."""
    found: list[str] = []
    threads = proc / str(parent) / "task"
    if (threads / str(parent)).exists() and not (threads / str(parent) / "children").exists():
        for process in proc.iterdir():
            with suppress(OSError):
                if process.name.isdecimal() and _stat(process).parent == parent:
                    found.append(process.name)
        return found
    with suppress(OSError):
        for thread in threads.iterdir():
            with suppress(OSError):
                found += (thread / "children").read_text().split()
    return found


class _Stat(NamedTuple):
    state: str
    parent: int
    ticks: int  # user and system time
    started: int


def _stat(process: Path) -> _Stat:
    """Fields 3, 4, 14, 15 and 22 of proc(5). The program's name before them, in brackets, may contain anything."""
    fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[19]))
