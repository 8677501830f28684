"""Whether preprocess may take one more image. `semseg serve` says in a file when too many wait for the networks."""

from __future__ import annotations

import hmac
from pathlib import Path


class Pressure:
    """`folder` has `busy` while too many images wait, and `ticket`, which the gateway sends, as it bounds its own images."""

    def __init__(self, folder: Path) -> None:
        self._busy = folder / "busy"
        ticket = folder / "ticket"
        self._ticket = ticket.read_bytes() if ticket.exists() else b""

    def refuses(self, ticket: object) -> bool:
        """Whether to turn away a request whose parameter `admitted` is this: while the server is busy, the wrong ones."""
        return self._busy.exists() and not (self._ticket and hmac.compare_digest(str(ticket).encode(), self._ticket))
