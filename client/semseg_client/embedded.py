"""A tritonserver of this process's own, shared by all of its pipelines and stopped with the last."""

from __future__ import annotations

import atexit
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from .client import Client, channel_options
from .device import Device
from .errors import SemsegError, ServingError, from_triton
from .repository import check_exported, configuration, place
from .triton_process import TritonProcess

_LOADING = 600.0  # s, that a model may take to load


class EmbeddedServer:
    """One use of the server of a model repository; `url` is its gRPC address. `close` gives it up."""

    def __init__(self, repository: Path, model: str, device: Device | None = None) -> None:
        """Start the server, or have one that runs load the model. `device` is where the network runs from now on.

        Raises:
            DeviceError: the installed ONNX Runtime does not run networks there.
            ServingError: the server could not be started, or the model not loaded.
        """
        if device is not None:
            put(repository, model, device)
        self._shared = _acquire(repository.resolve(), model)
        self._open = True

    @property
    def url(self) -> str:
        return self._shared.process.grpc_url

    def close(self) -> None:
        """Give the server up; it is stopped when nobody uses it."""
        if self._open:
            self._open = False
            _release(self._shared)


@dataclass
class _Shared:
    repository: Path
    process: TritonProcess
    users: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)


def put(repository: Path, model: str, device: Device) -> None:
    """Have the model's network run on `device` when a server of this environment loads it.

    Raises:
        DeviceError: the installed ONNX Runtime does not run networks there.
        ServingError: the model is not there, or its configuration cannot be read.
    """
    place(repository, model, device, device.provider(_execution_providers()))


def _execution_providers() -> list[str]:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return ["CPUExecutionProvider"]  # there is no server here then, and starting it tells
    providers: list[str] = onnxruntime.get_available_providers()
    return providers


_lock = threading.Lock()
_servers: dict[Path, _Shared] = {}


def _acquire(repository: Path, model: str) -> _Shared:
    with _lock:
        shared = _servers.get(repository)
        if shared is not None and (shared.ended.is_set() or not shared.process.alive):
            _stop(shared)
            shared = None
        if shared is None:
            shared = _start(repository, model)
        elif not _is_loaded(shared, model):
            _load(shared, model)
        shared.users += 1
        return shared


def _release(shared: _Shared) -> None:
    with _lock:
        shared.users -= 1
        if shared.users == 0:
            _stop(shared)


def _start(repository: Path, model: str) -> _Shared:
    """A server goes down with the thread that started it, and a pipeline may be made in one that ends: so it gets its own."""
    shared = _Shared(repository, TritonProcess(repository, [model]))
    started = threading.Event()
    failures: list[SemsegError] = []

    def keep() -> None:
        try:
            with shared.process:
                shared.process.wait_ready(given_up=shared.ended)
                started.set()
                shared.ended.wait()
        except SemsegError as error:
            failures.append(error)
        finally:
            started.set()
            shared.stopped.set()

    threading.Thread(target=keep, name="semseg-tritonserver", daemon=True).start()
    try:
        started.wait()
    except KeyboardInterrupt:  # without this, it would be cut off in the midst of its start, and leave its shared memory
        _stop(shared)
        raise
    if failures:
        raise failures[0]
    _servers[repository] = shared
    return shared


def _is_loaded(shared: _Shared, model: str) -> bool:
    """Whether the server has the model, and in the version that is to be served now."""
    if model not in shared.process.models:
        return False
    wanted = configuration(shared.repository, model).version_policy.specific.versions
    with Client(shared.process.grpc_url) as client:
        return client.model(model).version in map(str, wanted)


def _load(shared: _Shared, model: str) -> None:
    check_exported(shared.repository, model)
    url = shared.process.grpc_url
    try:
        with InferenceServerClient(url, channel_args=channel_options(url)) as triton:
            triton.load_model(model, client_timeout=_LOADING)
    except InferenceServerException as error:
        raise ServingError(f"{model} could not be loaded: {from_triton(error, url)}") from error
    if model not in shared.process.models:
        shared.process.models.append(model)
    with Client(url) as client:
        client.wait_ready(model=model)


def _stop(shared: _Shared) -> None:
    shared.ended.set()
    shared.stopped.wait()  # and not for the thread: if that is interrupted, Python 3.11 takes the thread for ended
    _servers.pop(shared.repository, None)  # not before: what is interrupted here is gone on with at exit


@atexit.register
def _stop_all() -> None:
    for shared in list(_servers.values()):
        _stop(shared)
