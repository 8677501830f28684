"""Tells a hung process from an idle one by asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from .stubs import Stub

_PATIENCE = 0.9  # s, for a tiny inference of an entry; a process that sleeps all that time hangs
_SHARE = 100  # ticks of CPU time (a second); after so much, every process of an entry has had work: Triton takes turns

Ask = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True)
class _Mark:
    """When a process last used CPU time, and the total of its entry by then, in ticks."""

    at: float
    total: int


class Pulse:
    """`ask` sends an entry a tiny inference and calls back on any answer, including an error."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ticks: dict[int, int] = {}  # CPU time by process, at the last look
        self._marks: dict[int, _Mark] = {}
        self._asked: dict[str, float] = {}  # entries with an idle process, and when they were asked
        self._pending: set[str] = set()  # entries that have not answered our question yet

    def hung(self, living: Sequence[Stub], now: float, *, suspicious: bool) -> list[Stub]:
        """The hung processes. Entries are asked only if `suspicious`: some request has been in flight for a while."""
        by_entry = groupby(sorted(living, key=attrgetter("entry")), key=attrgetter("entry"))
        found = [stub for entry, stubs in by_entry for stub in self._judge(entry, list(stubs), now, suspicious)]
        self._ticks = {stub.pid: stub.ticks for stub in living}
        self._marks = {stub.pid: self._marks[stub.pid] for stub in living}
        return found

    def _judge(self, entry: str, stubs: Sequence[Stub], now: float, suspicious: bool) -> Sequence[Stub]:
        total = sum(stub.ticks for stub in stubs)
        fresh = any(stub.pid not in self._ticks for stub in stubs)  # starting costs more CPU time than any work
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
        """Another process of the entry may answer in place of a hung one, but then it does all the work."""
        return total - mark.total >= _SHARE or (unanswered and now - mark.at >= _PATIENCE)

    def _question(self, entry: str) -> None:
        """Ask once at a time: the answer to an earlier question is as good."""
        if entry not in self._pending:
            self._pending.add(entry)  # before the answer can come
            self._ask(entry, lambda: self._answered(entry))

    def _answered(self, entry: str) -> None:
        """Note an answer. The entry is asked again only if the suspicion lasts."""
        self._pending.discard(entry)
        if entry in self._asked:
            self._asked[entry] = float("inf")
