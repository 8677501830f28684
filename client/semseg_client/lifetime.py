"""Processes that do not outlive the one that started them, however that ends."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Have this process sent that signal when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
