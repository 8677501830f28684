"""Reloads entries of a served repository that have lost a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from ...errors import ServingError
from .backoff import Backoff
from .served_repository import ServedRepository
from .status import Fault
from .stubs import Stub

_FREE = 5  # deaths in a row that are healed without delay
_LOADING = 120.0  # s; an entry that is not loaded by then counts as dead again

Say = Callable[[str], None]


class Loading(Protocol):
    """What Triton reports about loading."""

    def loaded(self, name: str, revision: str) -> bool:
        """Whether that revision of an entry is loaded."""

    def failures(self, name: str) -> int:
        """How often loading an entry has failed."""


@dataclass(frozen=True)
class _Load:
    since: float
    failures_before: int
    after_restart: bool = False


class Healer:
    """Makes Triton reload an entry that has lost a process. `wanted` gives the number of processes that an entry needs."""

    def __init__(self, served: ServedRepository, triton: Loading, wanted: Callable[[str], int], say: Say) -> None:
        self._served = served
        self._triton = triton
        self._wanted = wanted
        self._say = say
        self._loading: dict[str, _Load] = {}
        self._down: set[str] = set()  # entries waiting for their backoff to end
        self._going_on: set[str] = set()  # entries that still answer with another process
        self._in_stubs: set[str] = set()  # entries that run in Python processes; NVIDIA's ONNX Runtime backend has none
        self._backoffs: dict[str, Backoff] = {}
        self._former: set[int] = set()  # processes of replaced revisions; each ends after its last request, if at all
        self._short: set[str] = set()  # entries that lacked a process at the last look
        self.spared: set[str] = set()  # entries that another thread is loading

    def restarted(self, now: float) -> None:
        """Note that a new server is loading everything."""
        self._down.clear()
        self._short.clear()
        self._former.clear()
        self._going_on.clear()
        self._loading = {name: _Load(now, self._triton.failures(name), after_restart=True) for name in self._served.revisions}

    def look(self, living: Sequence[Stub], now: float) -> None:
        """Heal entries that lack a process in two looks in a row: while processes come and go, a single look may miss one.

        `living` holds all live processes; `now` is in seconds.

        Raises:
            ServingError, OSError: an entry could not be copied; all others have been checked.
        """
        self._in_stubs |= {stub.entry for stub in living}
        self._former &= {stub.pid for stub in living}
        processes: defaultdict[str, set[int]] = defaultdict(set)
        for stub in living:
            processes[stub.entry].add(stub.pid)
        revisions = self._served.revisions
        self._loading = {name: load for name, load in self._loading.items() if name in revisions}
        self._down &= revisions.keys()
        short_before, self._short = self._short, set()
        failures: list[Exception] = []
        for name, revision in revisions.items():
            try:
                serving = processes[name] - self._former
                if name in self._loading:
                    self._check(name, revision, processes[name], now)
                elif name in self._in_stubs - self.spared and len(serving) < self._wanted(name):
                    self._short.add(name)
                    if name in short_before:
                        self._heal(name, serving, now)
            except (ServingError, OSError) as error:  # noqa: PERF203 - one bad entry must not keep the others from healing
                failures.append(error)
        if failures:
            raise failures[0]

    def faults(self) -> dict[str, Fault]:
        """The entries that do not answer, and why. Those that still answer with another process are left out."""
        loading = {name: Fault(f"{name} is being reloaded after one of its processes died") for name in self._loading}
        given_up = {name: Fault(f"{name} keeps crashing", final=True) for name in self._down}
        return {name: fault for name, fault in {**loading, **given_up}.items() if name not in self._going_on}

    def _heal(self, name: str, serving: AbstractSet[int], now: float) -> None:
        if serving:
            self._going_on.add(name)
        else:
            self._going_on.discard(name)
        backoff = self._backoffs.setdefault(name, Backoff(_FREE))
        if name not in self._down:
            self._down.add(name)
            backoff.died(now)
            when = f"in {backoff.retry_at - now:.0f} s, because it keeps crashing" if backoff.waiting(now) else "now"
            self._say(f"a process of {name} has died; reloading the model {when}")
        if not backoff.waiting(now):
            self._served.duplicate(name)
            self._former |= serving
            self._loading[name] = _Load(now, self._triton.failures(name))
            self._down.discard(name)

    def _check(self, name: str, revision: str, living: AbstractSet[int], now: float) -> None:
        load = self._loading[name]
        if self._triton.loaded(name, revision):
            del self._loading[name]
            self._going_on.discard(name)
            if not load.after_restart:
                self._say(f"{name} answers again, {now - load.since:.1f} s after its death was noticed")
            elif not any(other.after_restart for other in self._loading.values()):
                self._say(f"tritonserver serves again, {now - load.since:.1f} s after it was started")
        elif self._triton.failures(name) > load.failures_before or now - load.since > _LOADING:
            del self._loading[name]
            self._former -= living  # these keep serving
            if name not in self.spared:
                self._heal(name, living, now)
