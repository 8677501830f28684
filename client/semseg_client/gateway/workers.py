"""The gateway's processes: they share a listening socket, and one that dies is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import ssl
import sys
import threading
import time
from asyncio import Protocol
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess

from ..hosting.supervision.status import StatusFile
from ..hosting.supervision.stubs import resume
from ..parent_death import end_with_parent
from .http import log
from .http.tls import server_context
from .http.traffic import raise_open_files
from .settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

_GRACE = 6  # s for requests under way
_CLOSING = 2  # s more, for a process to close its connections; then it is killed
# For the child processes. By default, each thread keeps the memory of its largest response, and the kernel clears new memory for
# every response, which doubles its cost. A request body that grows beyond the threshold is moved without a copy.
_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
_UNSENT = 256 * 2**10  # bytes of a response that the kernel buffers beyond those in flight; by default, it buffers megabytes
_LOOK = 0.5  # s between two checks for stopped processes
_PATIENCE = 60  # s after which a process that does not answer counts as hung, even on a very busy machine


class Workers(Multiprocess):
    """Serves until SIGINT or SIGTERM, then finishes the requests under way.

    `status` is the file with the supervised server's Status, if there is one. `ready` is called once, when every process serves,
    `alive` twice a second from then on, and `ending` when a signal arrives.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        status: Path | None,
        ready: Callable[[], None],
        alive: Callable[[], None],
        ending: Callable[[], None],
        *,
        verbose: bool,
    ) -> None:
        config = uvicorn.Config(
            partial(_worker, settings, status),
            factory=True,
            workers=settings.workers,
            loop="uvloop",
            http=_connection,  # type: ignore[arg-type]  # called like its class
            log_level="info" if verbose else "error",  # its warnings report non-HTTP data from strangers
            access_log=False,  # AccessLog logs more
            proxy_headers=False,  # nothing here depends on X-Forwarded-*, which any caller can send
            ssl_context_factory=partial(_tls, settings.tls_certificate, settings) if settings.tls_certificate else None,
            ws="none",
            timeout_keep_alive=settings.idle_timeout,
            timeout_graceful_shutdown=_GRACE,
            timeout_worker_healthcheck=_PATIENCE,
        )
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)  # its connections inherit it
        for name, value in _MALLOC.items():
            os.environ.setdefault(name, value)
        super().__init__(config, [listener])
        self._ready = ready
        self._alive = alive
        self._ending = ending
        self._served = False
        self.failed = False  # whether it ended because a process could not start; that process has printed the reason

    def run(self) -> None:
        threading.Thread(target=self._resume, name="semseg-resume", daemon=True).start()
        super().run()

    def keep_subprocess_alive(self) -> None:
        if self.should_exit.is_set():
            return
        for each in self.processes:
            each.child_conn.close()  # only the process then holds the other end, and its death ends the wait
        if self._served:
            super().keep_subprocess_alive()
            self._alive()
        elif any(each.exitcode is not None for each in self.processes):
            self.failed = True
            self.should_exit.set()
        elif all(each.is_ready() for each in self.processes):
            self._served = True
            self._ready()

    def terminate_all(self) -> None:
        try:
            self._ending()
        finally:
            super().terminate_all()

    def join_all(self) -> None:
        deadline = time.monotonic() + _GRACE + _CLOSING
        for each in self.processes:
            while each.pid is not None and each.exitcode is None and time.monotonic() < deadline:
                resume(each.pid)
                each.process.join(0.1)
        self.kill_all()
        super().join_all()

    def kill_all(self) -> None:
        """Kill the processes at once."""
        for each in self.processes:
            each.process.kill()

    def _resume(self) -> None:
        """Resume processes that someone has stopped: they cannot answer, and waiting for one would hold up the others."""
        while not self.should_exit.wait(_LOOK):
            for each in list(self.processes):
                if each.pid is not None:
                    resume(each.pid)


def _tls(certificate: Path, settings: Settings, *_: object) -> ssl.SSLContext:
    return server_context(certificate, settings.tls_key, settings.tls_client_ca)


def _resume_parent() -> None:
    """Resume the parent: while it is stopped, nothing replaces a process that dies."""
    while True:
        time.sleep(_LOOK)
        resume(os.getppid())


def _connection(**arguments: Any) -> Protocol:
    """A connection of the application; only the serving processes import its class, after the application."""
    from .http.connection import Connection

    return Connection(**arguments)


def _worker(settings: Settings, status: Path | None) -> FastAPI:
    """The application, in a process of its own; the parent never imports the application."""
    end_with_parent(signal.SIGKILL)  # tritonserver ends with the parent, so no request could be answered any more
    raise_open_files()
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # the parent ended before this was set up
        sys.exit(0)
    log.configure(settings.access_log)
    threading.Thread(target=_resume_parent, name="semseg-resume", daemon=True).start()
    try:
        from .app import create_app
    except ModuleNotFoundError as error:
        sys.exit(f"semseg: serving needs {error.name}: pip install 'paddle-semseg-client[gateway]'")
    return create_app(settings, StatusFile(status) if status else None)
