"""Finds in tritonserver's log what a person needs to know."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

_FATAL = re.compile(r"error: (.*)")
_REMARK = re.compile(r"[IW]\d{4} ")
# What model_lifecycle.cc writes when an entry cannot be loaded. Quotes may be escaped with a backslash.
_NOT_LOADED = re.compile(r"failed to load \\?'([^'\\]+)\\?'(?: version \d+)?: (.*?)\"?$")
_ERROR = re.compile(r'E\d{4} \S+ \d+ \S+ "(.*?)"?$')


class TritonLog:
    """The last lines of a server's log. `on_line` is called with each line as it comes."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self._lines: deque[str] = deque(maxlen=1000)
        self._on_line = on_line
        self._not_loaded: dict[str, list[str]] = {}

    def read(self, lines: IO[str]) -> None:
        """Read until the server closes its end of the pipe."""
        with lines:
            for line in lines:
                self._lines.append(line.rstrip())
                if (failure := _NOT_LOADED.search(line.rstrip())) is not None:
                    self._not_loaded.setdefault(failure[1], []).append(failure[2].partition("\\n")[0])
                if self._on_line is not None:
                    with suppress(Exception):  # a full disk or a closed terminal; read on, or the pipe would block the server
                        self._on_line(line.rstrip())

    def load_failures(self, name: str) -> Sequence[str]:
        """The reason for each failure to load a model so far."""
        return tuple(self._not_loaded.get(name, ()))

    def clear(self) -> None:
        """Forget the lines read so far, but not the load failures."""
        self._lines.clear()

    def reason(self) -> str:
        """Why the server failed: its fatal message, else its last errors, else the last lines of its log."""
        lines = list(self._lines)
        for pattern in (_FATAL, _ERROR):
            # A traceback may follow the sentence; its line ends are written as \n.
            told = [found[1].partition("\\n")[0] for line in lines if (found := pattern.match(line))]
            if told:
                return "\n".join(told[-5:])
        return "\n".join([line for line in lines if not _REMARK.match(line)][-5:])
