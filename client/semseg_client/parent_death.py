"""Child processes that never outlive their parent, however it ends."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Ask the kernel to send this process that signal when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
