"""What the supervisor tells the processes that answer requests, in one small file."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...files import write_whole

CRASHES = "crashes"  # folder beside the status file, for preprocess: its crash records, the overload flag and the ticket


@dataclass(frozen=True)
class Fault:
    """Why a model does not answer. `final` means that it is not being reloaded for now."""

    reason: str
    final: bool = False


@dataclass(frozen=True)
class Status:
    """`faults` are by model name. `draining` means that the service is about to end. `warnings` are for its owner."""

    faults: dict[str, Fault] = field(default_factory=dict)
    draining: bool = False
    warnings: tuple[str, ...] = ()


class Unsupervised:
    """The status of a server that we do not supervise: nothing is known."""

    def read(self) -> Status:
        return Status()

    def suspect(self) -> None:
        pass

    def ticket(self) -> str:
        return ""


class StatusFile(Unsupervised):
    """A file that holds a Status. It is replaced atomically, and read again only when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._suspicion = path.with_suffix(".suspicion")
        self._ticket = path.parent / CRASHES / "ticket"
        self._seen: tuple[int, int] | None = None
        self._status = Status()

    def write(self, status: Status) -> None:
        """Raises OSError if the file cannot be written."""
        write_whole(self.path, json.dumps(asdict(status)).encode())

    def read(self) -> Status:
        """The status; after the service has ended, its last status."""
        try:
            found = self.path.stat()
            if (found.st_mtime_ns, found.st_ino) != self._seen:
                told = json.loads(self.path.read_bytes())
                faults = {name: Fault(**fault) for name, fault in told["faults"].items()}
                self._status = Status(faults, told["draining"], tuple(told["warnings"]))
                self._seen = (found.st_mtime_ns, found.st_ino)
        except FileNotFoundError:
            pass
        return self._status

    def issue_ticket(self) -> None:
        """Write a new ticket that only this user can read. Raises OSError."""
        self._ticket.touch(0o600)
        self._ticket.write_text(secrets.token_hex())

    def ticket(self) -> str:
        """The ticket. Under overload, preprocess still accepts a request that carries it as `admitted`, because the gateway
        limits its own images. Raises OSError."""
        return self._ticket.read_text()

    def suspect(self) -> None:
        """Tell the supervisor that a request has been in flight for a while, so that it looks for hung processes."""
        with suppress(OSError):  # the service is ending
            self._suspicion.touch()

    def suspected(self, within: float) -> bool:
        """Whether someone has called `suspect` in the last `within` seconds."""
        with suppress(FileNotFoundError):
            return time.time() - self._suspicion.stat().st_mtime < within
        return False
