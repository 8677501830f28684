"""One run of tritonserver: started, asked whether it lives, and stopped with nothing left behind."""

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
EXIT_TIMEOUT = 10  # s, that tritonserver gives to requests under way

# What nobody has to call. Triton asks callers for a header here, and these two cannot be sent: HTTP ends a header's name at
# the end of the line, and HTTP/2 forbids capital letters in one. So there is no secret that could be found out. Loading and
# unloading models Triton refuses by itself while it polls its repository; the list of models stays open.
_CLOSED = "shared-memory,trace,logging"
RESTRICTIONS = (f"--http-restricted-api={_CLOSED}:\nclosed=1", f"--grpc-restricted-protocol={_CLOSED}:CLOSED=1")

# The server begins when there is a keeper. Were we killed before, there is nothing to begin: the pipe has broken.
_START = 'read -r _ || exit; exec "$0" "$@" </dev/null'


class TritonProcess:
    """tritonserver on the models in `repository`, on loopback; `ports` by interface: "grpc", "http", "metrics". What has none
    is off. What it leaves in shared memory has the prefix of `memory`. `lenient`: it runs on when a model cannot be loaded.

    It is killed if this process dies. It runs in a session of its own: Ctrl-C at a terminal reaches us alone.

    Raises:
        ServingError: there is no tritonserver.
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
        self._process = subprocess.Popen(  # noqa: S603 - our tritonserver, its arguments a list
            ["/bin/sh", "-c", _START, program(), *_arguments(repository, ports, memory.prefix, lenient=lenient)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
            start_new_session=True,
            restore_signals=False,  # SIGPIPE stays ignored: writing its log with us gone, the server could not clean up
        )
        try:
            self._keeper = Keeper(self._process.pid, memory)
            self._begin()
        except BaseException:  # nobody would end it
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
        """Start the keeper again if somebody has killed it, and let it go on if it is stopped."""
        if not self._keeper.alive:
            self._keeper.dismiss()
            self._keeper = Keeper(self.pid, self._memory)
        resume(self._keeper.pid)

    def keep_private(self) -> None:
        """Close the server's shared memory to other users."""
        self._memory.keep_private()

    def death(self) -> str:
        """How the server ended, and why, as far as its log tells."""
        self._reader.join(1.0)
        code = self._process.wait()
        if code < 0:  # of its death the log knows nothing
            names = {number.value: number.name for number in signal.Signals}
            return f"tritonserver was killed by {names.get(-code, f'signal {-code}')}."
        return f"tritonserver ended with exit code {code}. {self._log.reason()}".strip()

    def _begin(self) -> None:
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write("\n")
        self._process.stdin.close()

    def kill(self) -> None:
        """End the server at once."""
        self._process.kill()

    def resume(self) -> None:
        """Let the server and its Python processes go on if they are stopped."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    def stop(self, timeout: float) -> None:
        """Stop the server; its Python processes go with it. After `timeout` seconds, it is killed."""
        self._process.terminate()
        self.resume()  # a stopped process takes no SIGTERM
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A server that was killed leaves its Python processes.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._keeper.dismiss()
        self._reader.join(1.0)


def program() -> str:
    """The tritonserver command of this environment, else the first on the PATH.

    Raises:
        ServingError: there is none.
    """
    beside = Path(sys.executable).with_name("tritonserver")
    found = str(beside) if beside.is_file() else shutil.which("tritonserver")
    if found is None:
        raise ServingError("there is no tritonserver command here; install one: pip install paddle-semseg-server")
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
