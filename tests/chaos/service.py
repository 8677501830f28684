"""The service under test, with its own /dev/shm where possible, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support import DEMO, ROOT, Service

SHM_MB = 512
START = 120  # s


class SharedMemory:
    """A small /dev/shm for the service alone: filling the machine's would use up its memory. Needs root."""

    def __init__(self, megabytes: int = SHM_MB) -> None:
        mount = f"mount -t tmpfs -o size={megabytes}m,mode=1777 tmpfs /dev/shm && echo there && exec sleep infinity"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount]
        self.holder: subprocess.Popen[str] | None = None
        if shutil.which("unshare") and shutil.which("nsenter"):
            self.holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert self.holder.stdout is not None
            if self.holder.stdout.readline() != "there\n":
                self.close()

    @property
    def inside(self) -> list[str]:
        """The prefix for commands that are to see it."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"] if self.holder else []

    @property
    def path(self) -> Path:
        """Its path from outside."""
        return Path(f"/proc/{self.holder.pid}/root/dev/shm") if self.holder else Path("/dev/shm")

    def close(self) -> None:
        if self.holder is not None:
            self.holder.kill()
            self.holder.wait()
            self.holder = None


class Running:
    """`semseg serve` and every process that it has started."""

    def __init__(self, process: subprocess.Popen[bytes], service: Service, memory: SharedMemory, temporary: set[Path]) -> None:
        self.service = service
        self.memory = memory
        self._process = process
        self._temporary = temporary
        self._seen: set[psutil.Process] = set()
        self.ports = {int(url.rpartition(":")[2].partition("/")[0]) for url in (service.rest, service.grpc, service.metrics)}

    @property
    def root(self) -> psutil.Process:
        return psutil.Process(self._process.pid)

    def processes(self) -> list[psutil.Process]:
        """The live processes, `semseg serve` first."""
        found = [self.root, *self.root.children(recursive=True)]
        self._seen |= set(found)
        return [each for each in found if _lives(each)]

    def pss(self) -> Counter[str]:
        """The processes' memory in megabytes, by program or model; shared pages are counted once."""
        taken = Counter[str]()
        for each in self.processes():
            with suppress(psutil.Error, IndexError):  # it has just ended
                words = each.cmdline()
                name = Path(words[1]).parts[-3] if words[0].endswith("_stub") else each.name()
                taken[name] += round(each.memory_full_info().pss / 2**20)
        return taken

    def end(self, signal: int, patience: float) -> list[str]:
        """End the service with `signal`, and return what is left after at most `patience` seconds."""
        self.processes()
        self._process.send_signal(signal)
        deadline = time.monotonic() + patience
        left = self._left()
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = self._left()
        return left

    def _left(self) -> list[str]:
        self._process.poll()
        alive = [each for each in self._seen if _lives(each)]
        connections = psutil.net_connections("tcp")
        listening = {each.laddr.port for each in connections if each.laddr and each.status == psutil.CONN_LISTEN}
        ours = "semseg_*" if self.memory.holder else f"semseg_{self._process.pid}_*"
        regions = [path.name for path in self.memory.path.glob(ours)]
        return [
            *(f"process {each.pid}" for each in alive),
            *(f"port {port}" for port in sorted(self.ports & listening)),
            *(f"/dev/shm/{name}" for name in regions),
            *(str(path) for path in temporary() - self._temporary),
        ]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def temporary() -> set[Path]:
    """Files that servers may leave in the temporary folder."""
    found = (path for pattern in ("python_env_*", "semseg*") for path in Path("/tmp").glob(pattern))
    return {path for path in found if not path.name.startswith("semseg-export-")}  # an export's, which may run at the same time


@contextmanager
def running(repository: Path, memory: SharedMemory) -> Iterator[Running]:
    """The service on free ports. It is killed when the block ends, if it still runs."""
    before = temporary()
    ready = repository.parent / "ready.json"
    ready.unlink(missing_ok=True)
    ports = [f"--{name}=0" for name in ("port", "grpc-port", "metrics-port")]
    command = [*memory.inside, str(Path(sys.executable).with_name("semseg")), "serve", "--model", DEMO, *ports]
    command += ["--model-repository", str(repository), "--ready-file", str(ready)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEMSEG_")}
    log = repository.parent / "service.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**environment, "SEMSEG_ACCESS_LOG": "off"}
        )
    try:
        deadline = time.monotonic() + START
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"semseg serve did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield Running(process, Service(**json.loads(ready.read_text())), memory, before)
    finally:
        process.kill()
        process.wait()
