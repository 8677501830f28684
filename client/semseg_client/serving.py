"""tritonserver and the gateway as one service: up together, down together."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType

import uvicorn

from .gateway import Settings, create_app
from .ports import listening
from .repository_watch import RepositoryWatch
from .triton_process import TritonProcess

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE = 10  # s, for requests under way


@dataclass(frozen=True)
class Addresses:
    """Where the service listens; what is not ours is None."""

    rest: str
    grpc: str
    http: str | None
    metrics: str | None


def serve(
    settings: Settings,
    triton: TritonProcess | None,
    announce: Callable[[Addresses], None],
    say: Callable[[str], None],
    *,
    access_log: bool,
) -> None:
    """Serve until SIGINT or SIGTERM; with no `triton`, in front of the one at `settings.url`.

    `announce` is called once requests are served, `say` with what becomes of a version that is exported meanwhile.

    Raises:
        ServingError: a port is taken, or tritonserver could not be started, or died.
    """
    # Before the server reads the repository: what changes while it starts is taken up too.
    watch = RepositoryWatch(triton.repository, triton.models, say) if triton else None
    with (
        _until_signal(),
        listening(settings.host, settings.port, "--host, --port") as listener,
        triton or nullcontext(),
        _undisturbed_end(),
    ):
        if triton is not None:
            triton.wait_ready()
            settings = settings.model_copy(update={"url": triton.grpc_url})
        config = uvicorn.Config(
            create_app(settings),
            loop="uvloop",
            http="h11",  # httptools loses the body of a request that offers HTTP/2, as every one of Java's HttpClient does
            log_level="info" if access_log else "warning",
            access_log=access_log,
            timeout_graceful_shutdown=_GRACE,
        )
        addresses = _addresses(listener, settings, triton)
        with watch.watching(triton.grpc_url) if triton and watch else nullcontext():
            _GatewayServer(config, triton, lambda: announce(addresses)).run([listener])
        if triton is not None:
            triton.check_alive()


class _GatewayServer(uvicorn.Server):
    """uvicorn that says when it listens, and stops when tritonserver has died."""

    def __init__(self, config: uvicorn.Config, triton: TritonProcess | None, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._triton = triton
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def on_tick(self, counter: int) -> bool:
        died = self._triton is not None and not self._triton.alive
        return await super().on_tick(counter) or died


class _Interrupted(BaseException):
    """SIGINT or SIGTERM has come."""


@contextmanager
def _until_signal() -> Iterator[None]:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise _Interrupted

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    except _Interrupted:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed_end() -> Iterator[None]:
    """Once what is inside has ended, no signal shall break off what stops the rest."""
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _addresses(listener: socket.socket, settings: Settings, triton: TritonProcess | None) -> Addresses:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return Addresses(
        rest=f"http://{host}:{listener.getsockname()[1]}",
        grpc=settings.url,
        http=f"http://{triton.http_url}" if triton else None,
        metrics=f"http://{triton.metrics_url}/metrics" if triton else None,
    )
