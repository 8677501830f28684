"""What the process that supervises tritonserver tells those that answer requests, in one small file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .files import write_whole


@dataclass(frozen=True)
class Fault:
    """Why a model does not answer. `final`: it is not being loaded anew for now."""

    reason: str
    final: bool = False


@dataclass(frozen=True)
class Status:
    """`faults` by the name that clients call. `draining`: the service is about to end."""

    faults: dict[str, Fault] = field(default_factory=dict)
    draining: bool = False


class StatusFile:
    """A file with a Status. It is replaced whole, and read again only when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._status = Status()

    def write(self, status: Status) -> None:
        """Raises OSError if it cannot be written."""
        write_whole(self.path, json.dumps(asdict(status)).encode())

    def read(self) -> Status:
        """The status; that of a service that has ended is its last one."""
        try:
            found = self.path.stat()
            if (found.st_mtime_ns, found.st_ino) != self._seen:
                told = json.loads(self.path.read_bytes())
                faults = {name: Fault(**fault) for name, fault in told["faults"].items()}
                self._status, self._seen = Status(faults, told["draining"]), (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            pass
        return self._status
