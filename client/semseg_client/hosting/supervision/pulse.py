"""Tells a process that hangs from one that has nothing to do: by asking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter

from .stubs import Stub

_PATIENCE = 1.5  # s, for a tiny inference of an entry none of whose processes moves

Ask = Callable[[str, Callable[[], None]], None]


class Pulse:
    """`ask` sends an entry a tiny inference, and calls back when it is answered, be it with an error."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._ticks: dict[int, int] = {}  # CPU time by process, as of the last look
        self._asked: dict[str, float] = {}  # entries that have not answered yet, and when they were asked

    def hung(self, living: Sequence[Stub], now: float, *, suspicious: bool) -> list[Stub]:
        """The processes that hang. `suspicious`: a request has been under way for a while; only then is anybody asked."""
        by_entry = groupby(sorted(living, key=attrgetter("entry")), key=attrgetter("entry"))
        found = [stub for entry, stubs in by_entry for stub in self._judge(entry, list(stubs), now, suspicious)]
        self._ticks = {stub.pid: stub.ticks for stub in living}
        return found

    def _judge(self, entry: str, stubs: Sequence[Stub], now: float, suspicious: bool) -> Sequence[Stub]:
        moved = any(self._ticks.get(stub.pid) != stub.ticks for stub in stubs)
        if moved or not suspicious:
            self._asked.pop(entry, None)
        elif entry not in self._asked:
            self._asked[entry] = now  # before the answer can come
            self._ask(entry, lambda: self._answered(entry, now))
        elif now - self._asked[entry] >= _PATIENCE:
            del self._asked[entry]
            return stubs
        return ()

    def _answered(self, entry: str, asked_at: float) -> None:
        """Who has answered is asked again only if the suspicion lasts."""
        if self._asked.get(entry) == asked_at:
            self._asked[entry] = float("inf")
