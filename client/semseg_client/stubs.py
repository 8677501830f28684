"""The processes in which tritonserver runs Python models, as the kernel shows them.

tritonserver starts one for each instance, never replaces one that has died, and calls itself ready all the same.
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
    """One process: the repository entry that it runs, its state as in proc(5), the CPU time it has used, and its start, in ticks.

    `ran` is the CPU time of its main thread, which runs the model, in ns; None where the kernel does not tell.
    """

    pid: int
    entry: str
    state: str
    ticks: int
    started: int = 0
    ran: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it. A debugger's stop is another state."""
        return self.state == _STOPPED

    @property
    def asleep(self) -> bool:
        """Whether it waits for something else than a CPU or a disc."""
        return self.state not in _AT_WORK

    def kill(self, proc: Path = _PROC) -> None:
        """End it, but no other process that has got its number meanwhile."""
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
                found.append(Stub(int(pid), entry, stat.state, stat.ticks, stat.started, _ran(proc / pid)))
    return found


def zombies(server: int, proc: Path = _PROC) -> int:
    """How many dead processes the tritonserver still holds. It never lets go of one that died at work, nor of its memory."""
    count = 0
    for pid in _children(server, proc):
        with suppress(OSError):
            count += _stat(proc / pid).state in _DEAD
    return count


def resume(pid: int) -> None:
    """Let a process go on if SIGSTOP holds it."""
    if stopped(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def stopped(pid: int, proc: Path = _PROC) -> bool:
    """Whether SIGSTOP holds the process."""
    with suppress(OSError):
        return _stat(proc / str(pid)).state == _STOPPED
    return False


def _children(parent: int, proc: Path) -> list[str]:
    """The kernel lists the children of each thread, if it was built to; otherwise each process tells its parent."""
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


def _ran(process: Path) -> int | None:
    with suppress(OSError):
        return int((process / "schedstat").read_text().split()[0])
    return None


class _Stat(NamedTuple):
    state: str
    parent: int
    ticks: int  # user and system time
    started: int


def _stat(process: Path) -> _Stat:
    """What proc(5) numbers 3, 4, 14 and 15, and 22. The program's name, in brackets before them, may hold anything."""
    fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return _Stat(fields[0], int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[19]))
