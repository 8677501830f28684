"""Notifies systemd, if it started the service with Type=notify (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress


class Systemd:
    """Sends nothing unless systemd set NOTIFY_SOCKET (for `alive`, also WATCHDOG_USEC) in the environment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._period = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6  # s; half the watchdog's timeout
        self._clock = clock
        self._told_at = clock()

    def ready(self) -> None:
        """Report that requests are served."""
        self._tell("READY=1")

    def alive(self) -> None:
        """Report that the service is still supervising its processes. May be called as often as you like."""
        if self._period and self._clock() - self._told_at >= self._period:
            self._told_at = self._clock()
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._tell("STOPPING=1")

    def _tell(self, news: str) -> None:
        if self._address:
            name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.sendto(news.encode(), name)
