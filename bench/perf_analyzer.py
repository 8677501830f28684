"""Triton's own perf_analyzer, to cross-check our load generator."""

from __future__ import annotations

import base64
import csv
import json
import os
import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from .load import Plan
from .places import HOME
from .quantiles import median, p99
from .records import Confirmation
from .rivals.rival import Failed
from .rivals.semseg import Semseg

FOLDER = HOME / "perf_analyzer"
PROGRAM = FOLDER / "tritonclient-2.50.0.data" / "data" / "bin" / "perf_analyzer"
_LIBRARIES = [FOLDER / "nvidia" / "cuda_runtime" / "lib", *FOLDER.glob("usr/lib/*")]


def available() -> bool:
    return PROGRAM.exists()


def confirm(server: Semseg, size: str, file: Path, clients: int, plan: Plan) -> Confirmation:
    """Run both load generators, one after the other, with the same image.

    Raises:
        Failed: perf_analyzer measured nothing.
    """
    window, _ = server.load("grpc-picture", [file], clients, plan)
    if window.failures:
        raise Failed(window.failures[0])
    with TemporaryDirectory(prefix="bench-") as folder:
        told = _measure(server, file, clients, max(len(window.latencies), plan.answers), Path(folder))
    return Confirmation(
        model=server.model.name,
        size=size,
        clients=clients,
        throughput=float(told["Inferences/Second"]),
        median=float(told["p50 latency"]) / 1e6,
        p99=float(told["p99 latency"]) / 1e6,
        our_throughput=len(window.latencies) / window.seconds,
        our_median=median(window.latencies),
        our_p99=p99(window.latencies),
    )


def _measure(server: Semseg, file: Path, clients: int, requests: int, folder: Path) -> dict[str, str]:
    image = file.read_bytes()
    content = base64.b64encode(struct.pack("<I", len(image)) + image).decode()
    data, table = folder / "data.json", folder / "table.csv"
    data.write_text(json.dumps({"data": [{"image": {"content": {"b64": content}, "shape": [1]}}]}))
    command: list[str | Path] = [
        PROGRAM,
        "-m",
        server.model.name,
        "-u",
        server.grpc,
        "-i",
        "grpc",
        "--input-data",
        data,
        "-f",
        table,
    ]
    command += ["--concurrency-range", str(clients), "--measurement-mode", "count_windows"]
    command += ["--measurement-request-count", str(requests), "--stability-percentage", "999"]  # accept the figures as they are
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(map(str, _LIBRARIES))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not table.exists():
        raise Failed(f"perf_analyzer: {(done.stderr or done.stdout).strip()[-300:]}")
    with table.open() as lines:
        return next(csv.DictReader(lines))
