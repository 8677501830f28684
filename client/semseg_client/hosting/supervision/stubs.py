"""The processes in which tritonserver runs Python models, as the kernel shows them.

tritonserver starts one for each instance, never replaces one that has died, and calls itself ready all the same.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = "triton_python_backend_stub"
_STOPPED, _DEAD = "T", ("Z", "X")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Stub:
    """One process: the repository entry that it runs, its state as in proc(5), and the CPU time it has used, in ticks."""

    pid: int
    entry: str
    state: str
    ticks: int

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it. A debugger's stop is another state."""
        return self.state == _STOPPED


def stubs(server: int, proc: Path = _PROC) -> list[Stub]:
    """The living stubs of the tritonserver with that process id."""
    found = []
    for pid in _children(server, proc):
        with suppress(OSError):  # it has ended meanwhile
            words = (proc / pid / "cmdline").read_bytes().split(b"\0")
            state, ticks = _stat(proc / pid)
            if words[0].endswith(_PROGRAM.encode()) and state not in _DEAD:
                # The model's file: <repository>/<entry>/<version>/<file>
                found.append(Stub(int(pid), Path(words[1].decode(errors="replace")).parts[-3], state, ticks))
    return found


def zombies(server: int, proc: Path = _PROC) -> int:
    """How many dead processes the tritonserver still holds. It never lets go of one that died at work, nor of its memory."""
    count = 0
    for pid in _children(server, proc):
        with suppress(OSError):
            count += _stat(proc / pid)[0] in _DEAD
    return count


def resume(pid: int) -> None:
    """Let a process go on if SIGSTOP holds it."""
    if stopped(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def stopped(pid: int, proc: Path = _PROC) -> bool:
    """Whether SIGSTOP holds the process."""
    with suppress(OSError):
        return _stat(proc / str(pid))[0] == _STOPPED
    return False


def _children(parent: int, proc: Path) -> list[str]:
    """The kernel lists the children of each thread."""
    found: list[str] = []
    with suppress(OSError):
        for thread in (proc / str(parent) / "task").iterdir():
            with suppress(OSError):
                found += (thread / "children").read_text().split()
    return found


def _stat(process: Path) -> tuple[str, int]:
    """State, and user and system time. The program's name, in brackets before them, may hold anything."""
    fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[11]) + int(fields[12])
