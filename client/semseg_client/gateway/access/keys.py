"""The API keys that are currently valid."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigurationError
from ..http import log
from .key_file import Key, hashed, read_keys
from .rates import Allowance

_PERIOD = 1.0  # seconds between checks of the file

_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Holder:
    """The owner of a key, and what is left of its limits."""

    name: str
    digest: bytes
    allowance: Allowance


class Keys:
    """The keys in a file, reread when it changes.

    An invalid file changes nothing: the previous keys stay valid, and the log reports it once.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._stamp: _Stamp | None = (0, 0, 0)  # matches no file
        self._looked = -_PERIOD
        self._holders: tuple[Holder, ...] = ()

    def find(self, key: str) -> Holder | None:
        """The owner of the key. Compares it with every key, in constant time, so that timing reveals nothing."""
        now = self._clock()
        if now - self._looked >= _PERIOD:
            self._looked = now
            self._refresh(now)
        digest = hashed(key)
        found = None
        for holder in self._holders:
            if hmac.compare_digest(holder.digest, digest):
                found = holder
        return found

    def _refresh(self, now: float) -> None:
        stamp = _stamp(self._file)
        if stamp == self._stamp and self._holders:
            return
        known, self._stamp = self._stamp, stamp
        try:
            keys = read_keys(self._file)
        except ConfigurationError as error:
            if stamp != known:
                log.error(f"API keys: the previous ones stay valid. {error}")
            return
        before = {holder.name: holder.allowance for holder in self._holders}
        self._holders = tuple(Holder(key.name, key.digest, _allowance(key, before, now)) for key in keys)


def _allowance(key: Key, before: dict[str, Allowance], now: float) -> Allowance:
    """A reread key keeps its allowance unless its limits changed."""
    known = before.get(key.name)
    return known if known is not None and known.limits == key.limits else Allowance(key.limits, now)


def _stamp(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
