"""Child processes that never outlive their parent, however it ends.

Python calls `preexec_fn` unsafe in a process with threads. So a command is started through this file, which needs nothing but the
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
    """Ask the kernel to send this process that signal when the thread that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def ending_with_us(command: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """The command, to be started so that it gets SIGTERM when the thread that started it ends."""
    return [sys.executable, "-I", __file__, str(os.getpid()), *command]


def _main() -> None:
    parent, *command = sys.argv[1:]
    end_with_parent()
    if os.getppid() != int(parent):  # it ended before the kernel was asked
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - the command that we were given


if __name__ == "__main__":
    _main()
