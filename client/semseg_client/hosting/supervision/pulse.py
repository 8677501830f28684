"""Tells a process that hangs from one that has nothing to do: by asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from .stubs import Stub

_PATIENCE = 0.9  # s, for a tiny inference of an entry; who is asleep for so long meanwhile hangs
_SHARE = 100  # ticks of CPU time, a second, after which the processes of an entry have all had work: Triton takes them in turn

Ask = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True)
class _Mark:
    """When a process moved last, and the CPU time that all of its entry had used by then, in ticks."""

    at: float
    total: int


class Pulse:
    """`ask` sends an entry a tiny inference, and calls back when it is answered, be it with an error."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ticks: dict[int, int] = {}  # CPU time by process, as of the last look
        self._marks: dict[int, _Mark] = {}
        self._asked: dict[str, float] = {}  # entries with a process that does not move, and since when an answer is missing
        self._pending: set[str] = set()  # entries that have a question of ours

    def hung(self, living: Sequence[Stub], now: float, *, suspicious: bool) -> list[Stub]:
        """The processes that hang. `suspicious`: a request has been under way for a while; only then is anybody asked."""
        by_entry = groupby(sorted(living, key=attrgetter("entry")), key=attrgetter("entry"))
        found = [stub for entry, stubs in by_entry for stub in self._judge(entry, list(stubs), now, suspicious)]
        self._ticks = {stub.pid: stub.ticks for stub in living}
        self._marks = {stub.pid: self._marks[stub.pid] for stub in living}
        return found

    def _judge(self, entry: str, stubs: Sequence[Stub], now: float, suspicious: bool) -> Sequence[Stub]:
        total = sum(stub.ticks for stub in stubs)
        fresh = any(stub.pid not in self._ticks for stub in stubs)  # its start has cost more than any work
        for stub in stubs:
            if fresh or not suspicious or not stub.asleep or self._ticks[stub.pid] != stub.ticks:
                self._marks[stub.pid] = _Mark(now, total)
        still = [stub for stub in stubs if self._marks[stub.pid].at < now]
        if not still:
            self._asked.pop(entry, None)
            return ()
        if entry not in self._asked:
            self._asked[entry] = now
            self._question(entry)
        unanswered = now - self._asked[entry] >= _PATIENCE
        found = [stub for stub in still if self._hangs(self._marks[stub.pid], now, total, unanswered)]
        if found:
            del self._asked[entry]
        return found

    def _hangs(self, mark: _Mark, now: float, total: int, unanswered: bool) -> bool:
        """Another process of the entry may answer for one that hangs, but then it does all the work."""
        return total - mark.total >= _SHARE or (unanswered and now - mark.at >= _PATIENCE)

    def _question(self, entry: str) -> None:
        """One at a time; the answer to an earlier one is as good."""
        if entry not in self._pending:
            self._pending.add(entry)  # before the answer can come
            self._ask(entry, lambda: self._answered(entry))

    def _answered(self, entry: str) -> None:
        """Who has answered is asked again only if the suspicion lasts."""
        self._pending.discard(entry)
        if entry in self._asked:
            self._asked[entry] = float("inf")
