"""A tritonserver of our own: started, watched, and stopped with nothing left behind."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .client import Client
from .conversation import NOT_YET, TINY_IMAGE
from .errors import SemsegError, ServingError
from .lifetime import end_with_parent
from .ports import free_ports
from .repository import check_exported
from .triton_log import TritonLog

HOST = "127.0.0.1"
_EXIT_TIMEOUT = 10  # s, that tritonserver gives to requests under way; twice that, and it is killed
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where Triton's Python backend keeps it)


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[str]
    reader: threading.Thread


class TritonProcess:
    """tritonserver with some models of a repository, on loopback; port 0 stands for a free one.

    The server goes down with the thread that started it, however that ends. `on_line`, if given, is called from another
    thread with each line of the server's log.
    """

    def __init__(
        self,
        repository: Path,
        models: Sequence[str],
        *,
        grpc_port: int = 0,
        http_port: int = 0,
        metrics_port: int = 0,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.repository = repository
        self.models = list(models)
        self._wanted = {"--grpc-port": grpc_port, "--http-port": http_port, "--metrics-port": metrics_port}
        self._ports: dict[str, int] = {}
        self._log = TritonLog(on_line)
        self._prefix = f"semseg_{os.getpid()}_{secrets.token_hex(4)}_"
        self._running: _Running | None = None

    @property
    def grpc_url(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self._ports['--grpc-port']}"

    @property
    def http_url(self) -> str:
        """`host:port` of Triton's own HTTP interface."""
        return f"{HOST}:{self._ports['--http-port']}"

    @property
    def metrics_url(self) -> str:
        """`host:port` of Triton's metrics."""
        return f"{HOST}:{self._ports['--metrics-port']}"

    def start(self) -> None:
        """Start the server, once; `wait_ready` tells when it serves.

        Raises:
            ServingError: there is no tritonserver, a port is taken, or a model is not in the repository.
        """
        for model in self.models:
            check_exported(self.repository, model)
        program = _program()
        self._ports = free_ports(HOST, self._wanted)
        process = subprocess.Popen(
            [program, *self._arguments()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C at a terminal reaches us alone: the order of stopping is ours
            restore_signals=False,  # SIGPIPE stays ignored: writing its log with us gone, the server could not clean up
            preexec_fn=end_with_parent,
        )
        reader = threading.Thread(target=self._log.read, args=[process.stdout], daemon=True)
        reader.start()
        self._running = _Running(process, reader)

    def wait_ready(self, timeout: float = 600.0, given_up: threading.Event | None = None) -> None:
        """Wait until every model has answered a real inference, or `given_up` is set.

        Raises:
            ServingError: the server died, or a model did not answer within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        given_up = given_up or threading.Event()
        with Client(self.grpc_url) as client:
            for model in self.models:
                while (reason := _unready(client, model)) is not None:
                    self.check_alive()
                    if time.monotonic() >= deadline:
                        raise ServingError(f"{model} did not answer within {timeout:g} s: {reason}")
                    if given_up.wait(0.2):
                        return
        self._log.clear()  # without a GPU, a start that goes well writes errors too

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._running is not None and self._running.process.poll() is None

    def check_alive(self) -> None:
        """Raise ServingError, with what the server's log tells, if it has died."""
        if self._running is not None and not self.alive:
            self._running.reader.join(1.0)
            code = self._running.process.returncode
            how = f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"
            raise ServingError(f"tritonserver {how}. {self._log.reason()}".strip())

    def stop(self) -> None:
        """Stop the server and take away whatever it may have left."""
        if self._running is None:
            return
        process = self._running.process
        process.terminate()
        try:
            process.wait(2 * _EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # A server that was killed, by us or by others, leaves its Python processes and their shared memory.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for leftover in _SHARED_MEMORY.glob(f"{self._prefix}*"):
            leftover.unlink(missing_ok=True)
        self._running.reader.join(1.0)
        self._running = None

    def __enter__(self) -> TritonProcess:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _arguments(self) -> list[str]:
        return [
            f"--model-repository={self.repository}",
            "--model-control-mode=explicit",
            *(f"--load-model={model}" for model in self.models),
            *(f"{option}={port}" for option, port in self._ports.items()),
            *(f"--{interface}-address={HOST}" for interface in ("grpc", "http", "metrics")),
            f"--exit-timeout-secs={_EXIT_TIMEOUT}",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
        ]


def _program() -> str:
    beside = Path(sys.executable).with_name("tritonserver")
    program = str(beside) if beside.is_file() else shutil.which("tritonserver")
    if program is None:
        raise ServingError("there is no tritonserver command here; install one: pip install 'paddle-semseg-triton[server]'")
    return program


def _unready(client: Client, model: str) -> SemsegError | None:
    try:
        client.segment(TINY_IMAGE, model)
    except NOT_YET as error:
        return error
    return None
