"""The measurements, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .machine import Machine


@dataclass(frozen=True)
class Start:
    """A rival's server has started."""

    model: str
    size: str
    rival: str
    ready: float  # s, until it reported ready
    first: float  # s, for the first answer after that
    idle: float  # its processes' processor time per second without requests; the other servers are suspended


@dataclass(frozen=True)
class Load:
    """One window of the closed loop."""

    model: str
    size: str
    rival: str
    clients: int
    round: int
    latencies: list[float]  # s
    seconds: float
    cpu: float  # s of processor time per image, of the server's processes
    loader_cpu: float  # s of processor time per image, of the load generator
    pss: int  # bytes, the peak over all processes of the server
    rss: int
    others: float  # cores that unrelated processes kept busy meanwhile: the noise
    agreement: float  # lowest share of pixels with the floor's class

    @property
    def throughput(self) -> float:
        """Images per second."""
        return len(self.latencies) / self.seconds


@dataclass(frozen=True)
class Failure:
    """A rival did not start, did not answer, or answered wrongly; the rest of this model and size runs without it."""

    model: str
    size: str
    rival: str
    reason: str


@dataclass(frozen=True)
class Stages:
    """Where the time of one REST request goes, in seconds per image."""

    model: str
    size: str
    total: float  # what the client sees
    gateway: dict[str, float]  # from the header Server-Timing
    triton: dict[str, dict[str, float]]  # for each model of the ensemble: queue, input, infer, output and all


@dataclass(frozen=True)
class Confirmation:
    """Triton's perf_analyzer and our load generator, over gRPC with both outputs."""

    model: str
    size: str
    clients: int
    throughput: float  # images per second
    median: float  # s
    p99: float
    our_throughput: float
    our_median: float
    our_p99: float


@dataclass(frozen=True)
class Point:
    """One measurement of a scale: `axis` is pixels (in 2^20), clients or models."""

    axis: str
    model: str
    value: float
    seconds: float  # per image: the mean time between two answers
    floor: float | None  # the same for the bare network
    latency: float
    pss: int
    ready: float


Record = Machine | Start | Load | Failure | Stages | Confirmation | Point
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Machine, Start, Load, Failure, Stages, Confirmation, Point)}


@dataclass
class Results:
    """The records of one run; each is written to `file` immediately."""

    file: Path
    records: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        self.records.append(record)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as lines:
            lines.write(json.dumps({"kind": type(record).__name__, **asdict(record)}) + "\n")

    @classmethod
    def read(cls, file: Path) -> Results:
        """The results of an earlier run."""
        records = []
        for line in file.read_text().splitlines():
            fields = json.loads(line)
            records.append(_KINDS[fields.pop("kind")](**fields))
        return cls(file, records)
