"""The host names under which the gateway may be called.

After loading, a web page can point its own host name at this machine (DNS rebinding). The browser then treats the gateway as
the page's own site, and only the `Host` header reveals the foreign name.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from fnmatch import fnmatchcase

from ...ports import is_loopback

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{0,5})?")
# Nobody can register these: RFC 6761, 6762, 8375, and ICANN's resolution 2024.07.29.06. Kubernetes uses cluster.local.
_RESERVED = (".localhost", ".local", ".internal", ".home.arpa")


def host_name(header: str) -> str | None:
    """The host in a `Host` header, in lower case and without its port; None if the header is malformed."""
    match = _HOST.fullmatch(header.lower())
    return None if match is None else match["name"].strip("[]").rstrip(".") or None


class Hosts:
    """The hosts of one gateway: `listed` is SEMSEG_ALLOWED_HOSTS, `address` is where it listens."""

    def __init__(self, listed: Sequence[str], address: str) -> None:
        self._listed = [each.strip("[]").rstrip(".") for each in listed]
        self._private = not listed and not is_loopback(address)
        self._own = socket.gethostname().lower()

    def admits(self, name: str) -> bool:
        """Whether a request may name this host. Without a list, a gateway that listens beyond loopback accepts any name,
        because a reverse proxy may pass on its public one. `knows` still checks the origin of browsers' requests."""
        return self._private or self.knows(name)

    def knows(self, name: str) -> bool:
        """Whether the name is listed, or is one that no outsider can point at this machine."""
        if is_loopback(name) or any(fnmatchcase(name, pattern) for pattern in self._listed):
            return True
        return self._private and ("." not in name or name == self._own or name.endswith(_RESERVED) or _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
