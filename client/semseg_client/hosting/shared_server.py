"""One tritonserver per model repository, shared by all pipelines of this process and stopped with the last."""

from __future__ import annotations

import atexit
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from ..device import Device
from ..triton.client import Client
from .placement import place
from .repository import configuration
from .supervision.supervisor import Supervisor
from .supervision.triton_process import program

_PROVIDERS = "import onnxruntime; print(*onnxruntime.get_available_providers())"


class SharedServer:
    """A handle on the shared server of a model repository. `url` is its gRPC address; `close` releases it."""

    def __init__(self, repository: Path, model: str, device: Device | None = None) -> None:
        """Start the server, or load the model into a running one. From now on, the network runs on `device`.

        Raises:
            DeviceError: the installed ONNX Runtime cannot run networks on it.
            ServingError: the server could not be started, or the model not loaded.
        """
        if device is not None:
            set_device(repository, model, device)
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


def set_device(repository: Path, model: str, device: Device) -> None:
    """Make the model's network run on `device` when a server of this environment loads it.

    Raises:
        DeviceError: the installed ONNX Runtime cannot run networks on it.
        ServingError: the model does not exist, or its configuration cannot be read.
    """
    place(repository, model, device, device.provider(_execution_providers(device)))


def _execution_providers(device: Device) -> list[str]:
    """The execution providers of the ONNX Runtime installed with tritonserver. The CPU needs no check."""
    if device.kind == "cpu":
        return ["CPUExecutionProvider"]
    python = Path(program()).resolve().with_name("python")
    done = subprocess.run([python, "-c", _PROVIDERS], capture_output=True, text=True, check=False)  # noqa: S603 - our Python
    return done.stdout.split() or ["CPUExecutionProvider"]


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
