"""Keeps gRPC callers from making the server decode more images than its networks can process.

Their requests queue in Triton, and an image that waits for a network is already decoded. While many wait, preprocess refuses new
ones before decoding them. (Triton's own limit, `max_queue_size`, refuses too late: the image is decoded by then. With it,
tritonserver 2.51 also serves its queue only twice a second: 24 images at once took 2.4 s instead of 0.5 s.)
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_MANY = 32  # images waiting for one network; from here on, new ones are refused
_SOME = 8  # from here on, check more often
_SOON, _LATER = 0.2, 1.0  # s between two checks; a check takes three milliseconds
_TIMEOUT = 2.0  # s
_WAITING = re.compile(r'^nv_inference_pending_request_count\{model="[^"]*_network",[^}]*\} (\d+)', re.MULTILINE)


class Pressure:
    """Keeps the file `flag` in place while a server's networks are overloaded. `metrics` is the `host:port` of its metrics."""

    def __init__(self, metrics: str, flag: Path) -> None:
        self._metrics = metrics
        self._flag = flag

    def watch(self, ended: threading.Event) -> None:
        """Check periodically until `ended` is set."""
        pause = _LATER
        while not ended.wait(pause):
            try:
                waiting = most_waiting(self._page())
            except (OSError, HTTPException, ValueError):  # the server is restarting: nothing is waiting
                waiting = 0
            pause = _SOON if waiting >= _SOME else _LATER
            with suppress(OSError):  # /dev/shm is full
                if waiting >= _MANY:
                    self._flag.touch()
                else:
                    self._flag.unlink(missing_ok=True)

    def _page(self) -> str:
        connection = HTTPConnection(self._metrics, timeout=_TIMEOUT)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def most_waiting(page: str) -> int:
    """The largest number of images waiting for one network, according to a page of Triton's metrics."""
    return max(map(int, _WAITING.findall(page)), default=0)
