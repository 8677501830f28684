"""Keeps callers of gRPC from having more images decoded than the networks can take.

They wait in Triton, and each image that waits in front of a network has been decoded. While many do, preprocess refuses the next
before it decodes. (Triton's own bound, `max_queue_size`, refuses too late, when the cores have decoded in vain. It also has
tritonserver 2.51 take what waits twice a second only: 24 images at once took 2.4 in place of 0.5 s.)
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_MANY = 32  # images in front of one network
_SOME = 8  # from which the number may soon be too large
_SOON, _LATER = 0.2, 1.0  # s, between two looks; a look takes three milliseconds
_TIMEOUT = 2.0  # s
_WAITING = re.compile(r'^nv_inference_pending_request_count\{model="[^"]*_network",[^}]*\} (\d+)', re.MULTILINE)


class Pressure:
    """While the networks of the server with these metrics (`host:port`) have too much to do, `flag` is there."""

    def __init__(self, metrics: str, flag: Path) -> None:
        self._metrics = metrics
        self._flag = flag

    def watch(self, ended: threading.Event) -> None:
        """Look again and again until `ended` is set."""
        pause = _LATER
        while not ended.wait(pause):
            try:
                waiting = most_waiting(self._page())
            except (OSError, HTTPException, ValueError):  # the server is being started again: nothing waits
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
    """The number of images in front of the network that has most, by a page of Triton's metrics."""
    return max(map(int, _WAITING.findall(page)), default=0)
