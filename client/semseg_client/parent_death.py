"""Starts child processes that never outlive their parent, however it ends.

`preexec_fn` is documented as unsafe in a process with threads. So commands are started through this file, which needs only the
standard library:

    python parent_death.py PARENT COMMAND...
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process the signal `number` when the thread that started the process ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def ending_with_us(command: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """The command, wrapped so that it gets SIGTERM when the thread that started it ends."""
    return [sys.executable, "-I", __file__, str(os.getpid()), *command]


def _main() -> None:
    parent, *command = sys.argv[1:]
    end_with_parent()
    if os.getppid() != int(parent):  # the parent ended before we asked the kernel
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the given command


if __name__ == "__main__":
    _main()
