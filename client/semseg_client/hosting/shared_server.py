"""One tritonserver per model repository, shared by all pipelines of this process and stopped with the last."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass
from pathlib import Path

from ..triton.client import Client
from .repository import configuration
from .supervision.supervisor import Supervisor


class SharedServer:
    """A handle on the shared server of a model repository. `url` is its gRPC address; `close` releases it."""

    def __init__(self, repository: Path, model: str) -> None:
        """Start the server, or load the model into a running one.

        Raises:
            ServingError: the server could not be started, or the model not loaded.
        """
        self._shared = _acquire(repository.resolve(), model)
        self._open = True

    @property
    def url(self) -> str:
        return self._shared.server.grpc_url

    def close(self) -> None:
        """Release the server. It stops when nobody uses it any more."""
        if self._open:
            self._open = False
            _release(self._shared)


@dataclass
class _Shared:
    repository: Path
    server: Supervisor
    users: int = 0


_lock = threading.Lock()
_servers: dict[Path, _Shared] = {}


def _acquire(repository: Path, model: str) -> _Shared:
    with _lock:
        shared = _servers.get(repository)
        if shared is None:
            shared = _start(repository, model)
        elif not _is_loaded(shared.server, model):
            shared.server.add(model)
        shared.users += 1
        return shared


def _release(shared: _Shared) -> None:
    with _lock:
        shared.users -= 1
        if shared.users == 0:
            _stop(shared)


def _start(repository: Path, model: str) -> _Shared:
    shared = _Shared(repository, Supervisor(repository, [model]))
    _servers[repository] = shared  # from now on the atexit hook stops it
    try:
        shared.server.start()
        shared.server.wait_ready()
    except BaseException:
        _stop(shared)
        raise
    return shared


def _is_loaded(server: Supervisor, model: str) -> bool:
    """Whether the server has the model, in the version that the repository names now."""
    if model not in server.models:
        return False
    wanted = configuration(server.repository, model).version_policy.specific.versions
    with Client(server.grpc_url) as client:
        return client.model(model).version in map(str, wanted)


def _stop(shared: _Shared) -> None:
    shared.server.stop()
    _servers.pop(shared.repository, None)  # only now: if `stop` is interrupted, the atexit hook finishes it


@atexit.register
def _stop_all() -> None:
    for shared in list(_servers.values()):
        _stop(shared)
