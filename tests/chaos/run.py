"""Sends a service valid and hostile requests while injecting faults, and gives the verdict."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.support import copied

from .faults import Fault, Faults
from .hostile import Hostile
from .load import by_grpc, by_rest, cases
from .service import Running, SharedMemory, running
from .tally import Tally

REST_CALLERS, GRPC_CALLERS, HOSTILE_CALLERS = 4, 4, 2
WARM_UP = 15.0  # s, until allocators hold what they will keep
QUIET = 8.0  # s before memory is measured; late releases are done by then
LAST = 12.0  # s that callers continue after the last fault
LEFT = {signal.SIGTERM: 40.0, signal.SIGKILL: 3.0}  # s, after which nothing may be left


@dataclass(frozen=True)
class Verdict:
    """The result. Memory is in megabytes by program or model, `outages` in seconds by kind of fault and interface."""

    tally: Tally
    faults: list[Fault]
    outages: dict[str, dict[str, float]]
    memory: tuple[Counter[str], Counter[str]]
    left: dict[str, list[str]]

    @property
    def good(self) -> bool:
        return not self.tally.wrong and not any(self.left.values())


def chaos(exported: Path, seconds: float, seed: int, console: Console) -> Verdict:
    """Inject faults for `seconds` into a service with the demo network from the repository `exported`."""
    memory = SharedMemory()
    if memory.holder is None:
        console.print("/dev/shm will not be filled: giving the service its own requires root and unshare")
    try:
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            repository = copied(exported, Path(folder), versions=2)
            with running(repository, memory) as service:
                verdict = _under_fire(service, repository, seconds, seed, console)
                verdict.left["SIGTERM"] = service.end(signal.SIGTERM, LEFT[signal.SIGTERM])
            with running(repository, memory) as service, _callers(service, Tally(), seed, hostile=False):
                time.sleep(3)
                verdict.left["SIGKILL"] = service.end(signal.SIGKILL, LEFT[signal.SIGKILL])
            return verdict
    finally:
        memory.close()


def _under_fire(service: Running, repository: Path, seconds: float, seed: int, console: Console) -> Verdict:
    tally, faults = Tally(), list[Fault]()
    with _callers(service, tally, seed, hostile=True):
        time.sleep(min(WARM_UP, seconds / 4))
    before = _memory(service)
    with _callers(service, tally, seed + 1, hostile=True):
        over = threading.Event()
        doing = Faults(service, repository, seed, faults.append)
        thread = threading.Thread(target=doing.run, args=[over])
        thread.start()
        _watch(seconds, faults, tally, console)
        over.set()
        thread.join()
        time.sleep(LAST)
    now = time.monotonic()
    outages: dict[str, dict[str, float]] = {}
    for fault, following in zip(faults, [*faults[1:], None], strict=True):
        worst = outages.setdefault(fault.what, {})
        for interface, length in tally.outage(fault.begin, following.begin if following else now).items():
            worst[interface] = max(worst.get(interface, 0.0), length)
    return Verdict(tally, faults, outages, (before, _memory(service)), {})


def _watch(seconds: float, faults: list[Fault], tally: Tally, console: Console) -> None:
    told = 0
    end = time.monotonic() + seconds
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("chaos", total=seconds)
        while (left := end - time.monotonic()) > 0:
            progress.update(bar, completed=seconds - left)
            count = f"{sum(map(len, tally.rights.values()))} right, {len(tally.wrong)} wrong"
            for fault in faults[told:]:
                console.print(f"{seconds - left:6.0f} s  {fault.what}; {count}")
            told = len(faults)
            time.sleep(0.5)


@contextmanager
def _callers(running: Running, tally: Tally, seed: int, *, hostile: bool) -> Iterator[None]:
    service, over = running.service, threading.Event()
    known = cases(service)
    rest = [Thread(by_rest, service, known, tally, over, seed + number) for number in range(REST_CALLERS)]
    triton = [Thread(by_grpc, service, known, tally, over, seed + 100 + number) for number in range(GRPC_CALLERS)]
    enemies = [Hostile(service, tally, seed + 200 + number) for number in range(HOSTILE_CALLERS if hostile else 0)]
    others = [Thread(enemy.run, over) for enemy in enemies]
    threads = [*rest, *triton, *others]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(90)


class Thread(threading.Thread):
    def __init__(self, call: Callable[..., None], *arguments: Any) -> None:
        super().__init__(target=call, args=arguments, daemon=True)


def _memory(service: Running) -> Counter[str]:
    time.sleep(QUIET)
    return service.pss()
