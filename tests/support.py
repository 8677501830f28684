"""Helpers shared by several kinds of tests."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import psutil
import pytest
import requests

from demo.scenes import scene
from semseg_client.hosting.supervision.stubs import family
from semseg_contract.lock import locked

ROOT = Path(__file__).parents[1]
# The serving environment has no semseg_export, but those parts of it that need no Paddle run from the sources.
WITH_EXPORT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "export"), os.environ.get("PYTHONPATH")]))}
EXPORT_PYTHON = Path(os.environ.get("SEMSEG_EXPORT_PYTHON", Path(sys.prefix, "export", "bin", "python")))
DEMO = "PP-LiteSeg-Demo"
DEMO_WEIGHTS = ROOT / "demo" / DEMO
STREET = ROOT / "demo" / "images" / "street.jpg"


@dataclass(frozen=True)
class Service:
    """A running `semseg serve`; `rest`, `http` and `metrics` are URLs, `grpc` is host:port. Triton's HTTP may be off."""

    rest: str
    grpc: str
    http: str | None
    metrics: str


def server_of(grpc: str) -> psutil.Process:
    """The tritonserver that listens at this address."""
    port = int(grpc.rpartition(":")[2])
    [pid] = {
        each.pid for each in psutil.net_connections("tcp") if each.laddr and each.laddr.port == port and each.status == "LISTEN"
    }
    return psutil.Process(pid)


def processes_of(grpc: str, entry: str) -> list[psutil.Process]:
    """The processes in which the server at this address runs an entry of its repository."""
    return [psutil.Process(stub.pid) for stub in family(server_of(grpc).pid).stubs if stub.entry == entry]


def counted(service: Service, counter: str) -> int:
    """One of Triton's metrics for the demo network."""
    lines = requests.get(service.metrics, timeout=10).text.splitlines()
    [line] = [line for line in lines if line.startswith(f'{counter}{{model="{DEMO}_network"')]
    return int(float(line.rpartition(" ")[2]))


def semseg(folder: Path, *arguments: str | Path, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `semseg ...` in `folder` with `given` on standard input; its output may hold any bytes."""
    command: list[str | Path] = [Path(sys.executable).with_name("semseg"), *arguments]
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, timeout=120, check=False)
    told = (stream.decode(errors="surrogateescape") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(command, done.returncode, *told)


def street(width: int, height: int) -> bytes:
    """A PNG of a street."""
    return bytes(cv2.imencode(".png", scene(3_000_300, width, height)[0])[1])


def encoded(image: bytes) -> str:
    """Base64, as the REST call expects it."""
    return base64.b64encode(image).decode()


def bare_repository(folder: Path) -> Path:
    """A model repository as in git, before any export."""
    for shared in ("preprocess", "postprocess", "draw"):
        shutil.copytree(ROOT / "model_repository" / shared, folder / shared)
    return folder


def copied(exported: Path, folder: Path, versions: int = 1) -> Path:
    """A repository with the demo network from `exported` in `versions` versions of the same weights. The first is served."""
    repository = bare_repository(folder / "model_repository")
    for entry in (DEMO, f"{DEMO}_network"):
        shutil.copytree(exported / entry, repository / entry)
        newest = max(int(version.name) for version in (repository / entry).iterdir() if version.is_dir())
        for number in {*range(1, versions + 1)} - {newest}:
            shutil.copytree(repository / entry / str(newest), repository / entry / str(number), dirs_exist_ok=True)
            if (config := repository / entry / str(number) / "config.pbtxt").exists():  # it names its version
                config.write_text(config.read_text().replace(f" versions: {newest}\n", f" versions: {number}\n"))
    manage_versions(repository, "use", DEMO, "1")
    return repository


def manage_versions(repository: Path, *arguments: str) -> str:
    """The output of `semseg_export.versions`."""
    command = [sys.executable, "-m", "semseg_export.versions", *arguments, "--repository", str(repository)]
    return subprocess.run(command, env=WITH_EXPORT, capture_output=True, text=True, check=True, timeout=60).stdout


EXPORT = """
from semseg_export.checks import parity
from semseg_export.cli import main
parity.SHAPES = ((1, 129, 257), (2, 128, 256))
main()
"""


def export(repository: Path, name: str, weights: str | Path, *flags: str | Path) -> None:
    """Runs this code's `semseg-export` into `repository`. For speed, it compares small images, and tries no engine."""
    in_export_environment("-c", EXPORT, name, "--weights", weights, "--repository", repository, "--engine=onnxruntime", *flags)


def in_export_environment(*arguments: str | Path) -> str:
    """Runs `python ...` from the project's root in the environment with Paddle; returns its output, or fails the test."""
    return in_environment(EXPORT_PYTHON, *arguments)


def in_environment(python: Path, *arguments: str | Path) -> str:
    """Like `in_export_environment`, but in the environment of `python`."""
    command: Sequence[str | Path] = [python, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def calls_at_most(most: int) -> Iterator[None]:
    """Fails if the block calls more than `most` functions, built-in ones included: a measure of work at any machine speed."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
    assert calls <= most


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the run's first process fills while the others wait."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, done = common / name, common / f"{name}.done"
    with locked(common):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
