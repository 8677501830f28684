"""One run of tritonserver, from its start to a stop that leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...errors import ServingError
from .shared_memory import Keeper, SharedMemory
from .stubs import resume
from .triton_log import TritonLog

HOST = "127.0.0.1"
EXIT_TIMEOUT = 10  # s that tritonserver gives requests in flight

# Nobody needs these APIs. We make Triton require a header for them that cannot be sent: in HTTP, a line end ends a header's
# name, and HTTP/2 forbids capital letters in it. So there is no secret to find out. Triton itself refuses to load or unload
# models while it polls its repository. The list of models stays open.
_CLOSED = "shared-memory,trace,logging"
RESTRICTIONS = (f"--http-restricted-api={_CLOSED}:\nclosed=1", f"--grpc-restricted-protocol={_CLOSED}:CLOSED=1")

# The server starts once its keeper runs. If we are killed before that, the pipe breaks and nothing starts.
_START = 'read -r _ || exit; exec "$0" "$@" </dev/null'


class TritonProcess:
    """tritonserver for the models in `repository`, on loopback. `ports` are by interface ("grpc", "http", "metrics"); an
    interface without a port is off. Its shared memory has the prefix of `memory`. If `lenient`, it runs even if a model cannot
    be loaded.

    It is killed if this process dies. It has its own session, so Ctrl-C at a terminal does not reach it.

    Raises:
        ServingError: tritonserver is not installed.
    """

    def __init__(
        self,
        repository: Path,
        ports: Mapping[str, int],
        memory: SharedMemory,
        log: TritonLog,
        environment: Mapping[str, str],
        *,
        lenient: bool,
    ) -> None:
        self._memory = memory
        self._log = log
        memory.starting()
        self._process = subprocess.Popen(  # noqa: S603 - our tritonserver, arguments as a list
            ["/bin/sh", "-c", _START, program(), *_arguments(repository, ports, memory.prefix, lenient=lenient)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
            start_new_session=True,
            restore_signals=False,  # SIGPIPE stays ignored: after our death, a log line would kill the server before it cleans up
        )
        try:
            self._keeper = Keeper(self._process.pid, memory)
            self._begin()
        except BaseException:  # nobody else would kill it
            self._process.kill()
            raise
        self._reader = threading.Thread(target=log.read, args=[self._process.stdout], daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    def check_keeper(self) -> None:
        """Restart a killed keeper, and continue a stopped one."""
        if not self._keeper.alive:
            self._keeper.dismiss()
            self._keeper = Keeper(self.pid, self._memory)
        resume(self._keeper.pid)

    def keep_private(self) -> None:
        """Make the server's shared memory private."""
        self._memory.keep_private()

    def death(self) -> str:
        """How the server ended, and why, as far as its log shows."""
        self._reader.join(1.0)
        code = self._process.wait()
        if code < 0:  # the log does not mention signals
            names = {number.value: number.name for number in signal.Signals}
            return f"tritonserver was killed by {names.get(-code, f'signal {-code}')}."
        return f"tritonserver ended with exit code {code}. {self._log.reason()}".strip()

    def _begin(self) -> None:
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write("\n")
        self._process.stdin.close()

    def kill(self) -> None:
        """Kill the server."""
        self._process.kill()

    def resume(self) -> None:
        """Continue the server and its Python processes if they are stopped."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    def stop(self, timeout: float) -> None:
        """Stop the server and its Python processes. After `timeout` seconds they are killed."""
        self._process.terminate()
        self.resume()  # a stopped process does not receive SIGTERM
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A killed server leaves its Python processes behind.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._keeper.dismiss()
        self._reader.join(1.0)


def program() -> str:
    """The tritonserver command of this environment, or else the first on the PATH.

    Raises:
        ServingError: there is none.
    """
    beside = Path(sys.executable).with_name("tritonserver")
    found = str(beside) if beside.is_file() else shutil.which("tritonserver")
    if found is None:
        raise ServingError("found no tritonserver command; install it: pip install paddle-semseg-server")
    return found


def _arguments(repository: Path, ports: Mapping[str, int], prefix: str, *, lenient: bool) -> Sequence[str]:
    interfaces = ("grpc", "http", "metrics")
    return [
        f"--model-repository={repository}",
        "--model-control-mode=poll",
        "--repository-poll-secs=1",
        f"--exit-on-error={str(not lenient).lower()}",
        *RESTRICTIONS,
        *(f"--{each}-port={ports[each]}" if each in ports else f"--allow-{each}=false" for each in interfaces),
        *(f"--{each}-address={HOST}" for each in interfaces if each in ports),
        f"--exit-timeout-secs={EXIT_TIMEOUT}",
        f"--backend-config=python,shm-region-prefix-name={prefix}",
    ]
