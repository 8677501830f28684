"""Where the time of one REST request goes, according to the gateway and Triton."""

from __future__ import annotations

import http.client
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .records import Stages
from .rivals.paddlex_rest import RestRoute
from .rivals.semseg import Semseg

_WARM_UP = 4
_ENTRY = re.compile(r"([\w-]+)[^,]*?;\s*dur=([\d.]+)")
_TRITON = {"queue": "queue", "input": "compute_input", "infer": "compute_infer", "output": "compute_output"}


def breakdown(server: Semseg, size: str, file: Path, requests: int) -> Stages:
    """The mean over `requests` consecutive requests for the label map and the picture."""
    body = RestRoute(server.rest, picture=True).body(file.read_bytes())
    gateway: Counter[str] = Counter()
    connection = http.client.HTTPConnection(server.rest)
    for _ in range(_WARM_UP):
        _ask(connection, body)
    before = server.statistics()
    start = time.perf_counter()
    for _ in range(requests):
        gateway.update(timing(_ask(connection, body)))
    total = time.perf_counter() - start
    connection.close()
    after = server.statistics()
    return Stages(
        model=server.model.name,
        size=size,
        total=total / requests,
        gateway={name: seconds / requests for name, seconds in gateway.items()},
        triton={name: _spent(before[name], after[name], requests) for name in after if _asked(before[name], after[name])},
    )


def timing(header: str) -> dict[str, float]:
    """Seconds by name from the header Server-Timing (W3C); empty if the header is empty."""
    return {name: float(milliseconds) / 1e3 for name, milliseconds in _ENTRY.findall(header)}


def _ask(connection: http.client.HTTPConnection, body: bytes) -> str:
    connection.request("POST", "/semantic-segmentation", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.getheader("Server-Timing") or ""


def _spent(before: dict[str, Any], after: dict[str, Any], requests: int) -> dict[str, float]:
    def seconds(kind: str) -> float:
        spent: int = after["inference_stats"][kind].get("ns", 0) - before["inference_stats"][kind].get("ns", 0)
        return spent / 1e9 / requests

    return {name: seconds(kind) for name, kind in _TRITON.items()} | {"all": seconds("success")}


def _asked(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return bool(after["inference_count"] != before["inference_count"])
