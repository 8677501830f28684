"""tritonserver and the gateway as one service: started, kept running and stopped together."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType

from ..errors import ServingError
from ..gateway import Settings, Workers
from ..gateway.access.key_file import read_keys
from ..gateway.http.tls import server_context
from ..hosting.model_reloader import ModelReloader
from ..hosting.supervision.supervisor import Supervisor
from ..ports import listening
from ..triton.tls import credentials
from .systemd import Systemd

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Addresses:
    """The addresses to call; None for an interface that is not served."""

    rest: str
    grpc: str
    http: str | None
    metrics: str | None


def serve(
    settings: Settings,
    triton: Supervisor | None,
    announce: Callable[[Addresses], None],
    say: Callable[[str], None],
    *,
    verbose: bool,
) -> None:
    """Serve until SIGINT or SIGTERM. Without `triton`, use the running server at `settings.url`.

    `announce` is called once requests are served, and `say` with warnings and with news of model versions exported while it runs.

    Raises:
        ConfigurationError: the API keys or the files for TLS cannot be used.
        ServingError: a port is in use, or tritonserver or the gateway could not be started.
    """
    _check_files(settings, say)
    # Created before the server reads the repository, so that changes made during its start are noticed, too.
    watch = ModelReloader(triton.repository, triton.models, say) if triton else None
    systemd = Systemd()
    with (
        _until_signal(),
        listening(settings.host, settings.port, "--host, --port") as listener,
        triton or nullcontext(),
        _ending_at_once(triton),
    ):
        if triton is not None:
            triton.wait_ready()
            settings = settings.model_copy(update={"url": triton.grpc_url})
        addresses = _addresses(listener, settings, triton)

        def ready() -> None:
            systemd.ready()
            announce(addresses)

        def alive() -> None:
            if triton is None or triton.attentive:
                systemd.alive()

        def ending() -> None:
            _on_signal(workers.kill_all, *([triton.kill] if triton else []))  # a second signal kills without waiting for requests
            systemd.stopping()
            if triton is not None:
                triton.drain()

        workers = Workers(settings, listener, triton.status_path if triton else None, ready, alive, ending, verbose=verbose)
        with watch.watching(triton.load) if triton and watch else nullcontext():
            workers.run()
        if workers.failed:
            raise ServingError("the REST gateway did not start: see above")


class _Interrupted(BaseException):
    """SIGINT or SIGTERM has arrived."""


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
def _ending_at_once(triton: Supervisor | None) -> Iterator[None]:
    """After the block, a signal kills the server instead of interrupting the cleanup."""
    try:
        yield
    finally:
        _on_signal(*([triton.kill] if triton else []))


def _on_signal(*steps: Callable[[], None]) -> None:
    def take(_number: int, _frame: FrameType | None) -> None:
        for step in steps:
            step()

    for number in _SIGNALS:
        signal.signal(number, take)


def _check_files(settings: Settings, say: Callable[[str], None]) -> None:
    """Report errors in the files for TLS and API keys once, before anything starts. Later, each process reads them itself."""
    if settings.tls_certificate is not None:
        server_context(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    credentials(settings.url, None)
    file = settings.api_keys_file
    if file is not None and any(key.plain for key in read_keys(file)) and file.stat().st_mode & 0o007:
        say(f"Warning: everyone on this machine can use the keys in {file}: chmod o= it, or store only their hashes")


def _addresses(listener: socket.socket, settings: Settings, triton: Supervisor | None) -> Addresses:
    http, metrics = (triton.url(interface) if triton else None for interface in ("http", "metrics"))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return Addresses(
        rest=f"{'https' if settings.tls_certificate else 'http'}://{host}:{listener.getsockname()[1]}",
        grpc=settings.url,
        http=f"http://{http}" if http else None,
        metrics=f"http://{metrics}/metrics" if metrics else None,
    )
