"""Whether preprocess may accept one more image. `semseg serve` keeps a file in place while too many wait for the networks."""

from __future__ import annotations

import hmac
from pathlib import Path


class Pressure:
    """`folder` holds `busy` while too many images are waiting. `ticket` is the gateway's pass; it limits its own images."""

    def __init__(self, folder: Path) -> None:
        self._busy = folder / "busy"
        ticket = folder / "ticket"
        self._ticket = ticket.read_bytes() if ticket.exists() else b""

    def refuses(self, ticket: object) -> bool:
        """Whether to refuse a request with this parameter `admitted`: yes while the server is busy, unless it is the ticket."""
        return self._busy.exists() and not (self._ticket and hmac.compare_digest(str(ticket).encode(), self._ticket))
