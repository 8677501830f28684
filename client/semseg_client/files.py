"""Files that are written whole or not at all, and files to which whole lines are appended."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from types import TracebackType


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class AppendedLines:
    """The file of lines at `path`, which is created if needed.

    Each line is written in a single call. However the writer dies, complete lines are valid, and only the last one can be torn.
    Several processes may append to one file. Raises OSError if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            self._write(b"\n")
        self._path = path

    def read(self) -> list[bytes]:
        """All lines, oldest first. Raises OSError."""
        return self._path.read_bytes().splitlines()

    def add(self, line: bytes) -> None:
        """Write a line. Raises OSError."""
        self._write(line + b"\n")

    def close(self) -> None:
        os.close(self._descriptor)

    def _write(self, content: bytes) -> None:
        if os.write(self._descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> AppendedLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
