"""All connections of a gateway process, and the memory that their requests and answers hold."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import resource
from typing import TYPE_CHECKING

from ..settings import Settings

if TYPE_CHECKING:
    from .connection import Connection

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
_SPARE_FILES = 128  # files that belong to no caller: the connection to Triton, the listener, the event loop's own
_FILES_A_CONNECTION = 2  # its socket, and a temporary file or an image being fetched
_MUCH = 32 * 2**20  # bytes held; when usage falls below this, memory is returned to the kernel
_SLOW = 0.5  # seconds to wait for a reader before its answer may be cut off
_OFTEN = 0.25  # seconds between checks of all connections; less if a timeout is short


class Traffic:
    """Closes the longest-idle connection when there are too many, and cuts off the slowest readers when their answers take
    too much memory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.most_connections = min(settings.max_connections, (_open_files() - _SPARE_FILES) // _FILES_A_CONNECTION)
        # The largest body must fit.
        self.body_memory = max(settings.body_memory // settings.workers, 2 * settings.max_body_bytes)
        self.answer_memory = settings.answer_memory // settings.workers
        self._grown = False  # whether there is memory to return
        self.bodies = 0  # bytes held
        # Each round of the event loop reads from only one large body: dozens would hold up the other requests.
        self.large_body = asyncio.Lock()
        self.answers = 0  # bytes held
        self.under_way = 0  # complete requests whose answer has not begun
        self.connections: set[Connection] = set()
        self.idle: dict[Connection, None] = {}  # those without a request, longest idle first

    def came(self, connection: Connection) -> bool:
        """Whether there is room for this connection; closes an idle one if that makes room."""
        if len(self.connections) >= self.most_connections:
            if not self.idle:
                return False
            longest = next(iter(self.idle))
            del self.idle[longest]
            longest.close()
        self.connections.add(connection)
        self.idle[connection] = None
        return True

    def went(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.idle.pop(connection, None)

    def body_fits(self, size: int, counted: int = 0) -> bool:
        """Whether a body with `counted` bytes already held may grow to `size`. It may take at most half of the memory that the
        others leave, so that many large bodies cannot shut out small ones."""
        return 2 * size <= self.body_memory - (self.bodies - counted)

    async def watch(self) -> None:
        """Check all connections periodically, until cancelled."""
        gc.collect()
        gc.freeze()  # these objects live as long as the process; scanning them takes a tenth of a second
        limits = self.settings
        every = min(_OFTEN, limits.header_timeout / 4, limits.body_timeout / 4, limits.answer_timeout / 4, limits.rate_grace / 4)
        while True:
            await asyncio.sleep(every)
            self.tick(every)

    def tick(self, seconds: float) -> None:
        """End whatever has been too slow for too long, given the `seconds` since the last check."""
        for connection in list(self.connections):
            connection.tick(seconds)
        if self.answers > self.answer_memory / 2:
            self._cut()

        if self.bodies + self.answers > _MUCH:
            self._grown = True
        elif self._grown:
            self._grown = False
            give_memory_back()

    def _cut(self) -> None:
        """Cut off the slowest readers until half of the memory is free for new answers."""
        held = self.answers
        slow = [each for each in self.connections if each.exchange and each.exchange.answer and each.reading.waited >= _SLOW]
        for each in sorted(slow, key=lambda one: one.reading.rate):
            if held <= self.answer_memory / 2:
                return
            held -= each.exchange.answer if each.exchange else 0
            each.abort()


def give_memory_back() -> None:
    """Return memory to the kernel: what the tracebacks of failed calls hold, and the free space between live objects.

    Python and glibc would do this much later, if at all.
    """
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)


def raise_open_files() -> None:
    """Let this process open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft
