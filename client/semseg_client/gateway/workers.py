"""The gateway's processes: one listening socket among them, and one anew for each that dies."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from ..lifetime import end_with_parent
from .settings import Settings
from .traffic import raise_open_files

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE = 10  # s, for requests under way
# For the processes that are started. Each thread would keep the memory of its largest answer to itself; and the kernel would
# clear the megabytes of every answer anew, which doubles what a process takes for it. A request body that grows beyond the
# threshold is moved without being copied.
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
_UNSENT = 256 * 2**10  # bytes that the kernel takes of an answer beyond those on their way; by itself, megabytes
_PATIENCE = 60  # s, after which a process that does not answer, be the machine ever so busy, counts as hung


class Workers(Multiprocess):
    """Serves until SIGINT or SIGTERM, or until `healthy` says no; requests under way are finished then.

    `announce` is called once every process serves.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        announce: Callable[[], None],
        healthy: Callable[[], bool],
        *,
        access_log: bool,
    ) -> None:
        config = uvicorn.Config(
            partial(_worker, settings),
            factory=True,
            workers=settings.workers,
            loop="uvloop",
            http=f"{__package__}.connection:Connection",
            log_level="info" if access_log else "warning",
            access_log=access_log,
            ws="none",
            timeout_keep_alive=settings.idle_timeout,
            timeout_graceful_shutdown=_GRACE,
            timeout_worker_healthcheck=_PATIENCE,
        )
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)  # its connections inherit it
        for name, value in _MALLOC.items():
            os.environ.setdefault(name, value)
        super().__init__(config, [listener])
        self._announce = announce
        self._announced = False
        self._healthy = healthy
        self.failed = False  # whether it has ended because a process could not start, which has told why

    def keep_subprocess_alive(self) -> None:
        if self.should_exit.is_set():
            return
        for each in self.processes:
            each.child_conn.close()  # the other end is the process's alone: its death is seen while its answer is waited for
        if not self._healthy():
            self.should_exit.set()
        elif self._announced:
            super().keep_subprocess_alive()
        elif any(each.exitcode is not None for each in self.processes):
            self.failed = True
            self.should_exit.set()
        elif all(each.is_ready() for each in self.processes):
            self._announced = True
            self._announce()


def _worker(settings: Settings) -> FastAPI:
    """The application, in a process of its own; the one that started it does without what the application is made of."""
    end_with_parent()
    raise_open_files()
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it has ended before that could be said
        sys.exit(0)
    try:
        from .app import create_app
    except ModuleNotFoundError as error:
        sys.exit(f"semseg: serving needs {error.name}: pip install 'paddle-semseg-triton[gateway]'")
    return create_app(settings)
