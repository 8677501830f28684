"""The bare `tritonserver` command for tests: free ports, the log in a file, nothing left behind."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException

from semseg_client.ports import free_ports
from semseg_client.triton.tls import Tls, credentials

COMMAND = Path(sys.executable).with_name("tritonserver")
START_LIMIT = 120  # s


@dataclass(frozen=True)
class Triton:
    """The addresses of a running server."""

    grpc: str
    http: str
    log: Path


@contextmanager
def tritonserver(repository: Path, log: Path, *flags: str, ends_well: bool = True, tls: Tls | None = None) -> Iterator[Triton]:
    """`tritonserver --model-repository repository` until the block ends; it must then exit cleanly on SIGTERM. `tls` holds
    the files that gRPC clients need."""
    ports = free_ports("127.0.0.1", {"--grpc-port": 0, "--http-port": 0, "--metrics-port": 0})
    arguments = [f"{option}={port}" for option, port in ports.items()]
    regions = f"semseg_test_{secrets.token_hex(4)}_"
    arguments += ["--backend-config", f"python,shm-region-prefix-name={regions}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [COMMAND, "--model-repository", repository, *arguments, *flags], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_up(process, f"127.0.0.1:{ports['--grpc-port']}", log, tls)
        _wait_until_it_listens(ports["--http-port"])  # it opens this port after the other
        yield Triton(f"127.0.0.1:{ports['--grpc-port']}", f"http://127.0.0.1:{ports['--http-port']}", log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0 or not ends_well, log.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()
        for region in Path("/dev/shm").glob(f"{regions}*"):  # of a process that was killed
            region.unlink()


def _wait_until_it_listens(port: int) -> None:
    for _ in range(START_LIMIT * 5):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.2)
    raise AssertionError(f"nothing listens on port {port}")


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path, tls: Tls | None) -> None:
    with grpc.InferenceServerClient(url, creds=credentials(f"grpcs://{url}", tls) if tls else None) as client:
        for _ in range(START_LIMIT * 5):
            if process.poll() is not None:
                break
            try:
                if client.is_server_live():
                    return
            except InferenceServerException:
                time.sleep(0.2)
    raise AssertionError(log.read_text()[-4000:])
