"""Tells a hung process from an idle one by sending it a tiny inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from .stubs import Stub

_PATIENCE = 0.9  # s for a tiny inference; a process that sleeps all that time hangs
_TURNS = 5  # answers; a healthy process gives at least one of them, because Triton uses idle ones in turn

Ask = Callable[[str, Callable[[], None]], None]


@dataclass(frozen=True)
class _Mark:
    """When a process last worked, and how many questions its entry had answered when its main thread last ran.

    A hung process that polls runs, too, but for less than a tick.
    """

    at: float
    answers: int


class Pulse:
    """`ask` sends an entry a tiny inference and calls back on any answer, including an error."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._seen: dict[int, Stub] = {}  # at the last look, by pid
        self._marks: dict[int, _Mark] = {}
        self._asked: dict[str, float] = {}  # entries with an idle process, and when they were asked
        self._answers: Counter[str] = Counter()
        self._pending: dict[str, object] = {}  # the open question to each entry; it may be lost with a process

    def hung(self, living: Sequence[Stub], now: float, *, suspicious: bool) -> list[Stub]:
        """The hung processes. Entries are asked only if `suspicious`, when some request has been in flight for a while."""
        by_entry = groupby(sorted(living, key=attrgetter("entry")), key=attrgetter("entry"))
        found = [stub for entry, stubs in by_entry for stub in self._judge(entry, list(stubs), now, suspicious)]
        self._seen = {stub.pid: stub for stub in living}
        self._marks = {stub.pid: self._marks[stub.pid] for stub in living}
        return found

    def _judge(self, entry: str, stubs: Sequence[Stub], now: float, suspicious: bool) -> Sequence[Stub]:
        fresh = any(stub.pid not in self._seen for stub in stubs)
        if fresh:
            self._pending.pop(entry, None)
        for stub in stubs:
            if fresh or not suspicious or _works(self._seen[stub.pid], stub):
                self._marks[stub.pid] = _Mark(now, self._answers[entry])
            elif stub.ran != self._seen[stub.pid].ran:
                self._marks[stub.pid] = replace(self._marks[stub.pid], answers=self._answers[entry])
        still = [stub for stub in stubs if self._marks[stub.pid].at < now]
        if not still:
            self._asked.pop(entry, None)
            return ()
        if entry not in self._asked:
            self._asked[entry] = now
            self._question(entry)
        unanswered = now - self._asked.get(entry, now) >= _PATIENCE  # the answer may have just come
        found = [stub for stub in still if self._hangs(stub, now, unanswered)]
        if found:
            self._asked.pop(entry, None)
            self._pending.pop(entry, None)
        return found

    def _hangs(self, stub: Stub, now: float, unanswered: bool) -> bool:
        """Whether nobody answers, or only the entry's other processes do. Ticks cannot tell: an answer takes less than one."""
        mark = self._marks[stub.pid]
        passed_over = stub.ran is not None and self._answers[stub.entry] - mark.answers >= _TURNS
        return passed_over or (unanswered and now - mark.at >= _PATIENCE)

    def _question(self, entry: str) -> None:
        """Ask, unless a question is still open: its answer is just as good."""
        if entry not in self._pending:
            question = self._pending[entry] = object()  # set before the answer can come
            self._ask(entry, lambda: self._answered(entry, question))

    def _answered(self, entry: str, question: object) -> None:
        """Note an answer. The next look asks again while a process is suspected of hanging."""
        if self._pending.get(entry) is question:
            del self._pending[entry]
            self._asked.pop(entry, None)
            self._answers[entry] += 1


def _works(before: Stub, stub: Stub) -> bool:
    return not stub.asleep or before.ticks != stub.ticks
