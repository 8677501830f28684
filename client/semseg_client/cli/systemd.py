"""What systemd is told where it started the service with Type=notify (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress


class Systemd:
    """Says nothing where no systemd asks: NOTIFY_SOCKET and WATCHDOG_USEC are in the environment if it does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._period = int(os.environ.get("WATCHDOG_USEC", "0")) / 2e6  # s; twice as often as it has to be
        self._clock = clock
        self._told_at = clock()

    def ready(self) -> None:
        """Requests are served."""
        self._tell("READY=1")

    def alive(self) -> None:
        """The service still watches over its processes. May be called as often as one likes."""
        if self._period and self._clock() - self._told_at >= self._period:
            self._told_at = self._clock()
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is about to end."""
        self._tell("STOPPING=1")

    def _tell(self, news: str) -> None:
        if self._address:
            name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.sendto(news.encode(), name)
