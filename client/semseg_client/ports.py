"""Ports to listen on: free ones are found, taken ones are told by name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from .errors import ServingError


def is_loopback(host: str) -> bool:
    """Whether a host, as it is written, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens; port 0 gives a free one.

    Raises:
        ServingError: the port cannot be had; `option` is where the user chose it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python's own remark follows in brackets
        raise ServingError(f"cannot listen on {host}:{port} ({option}): {reason}") from None


def free_ports(host: str, wanted: Mapping[str, int]) -> dict[str, int]:
    """The ports to give to another process, by option: those wanted, a free one for each 0.

    Raises:
        ServingError: one is taken, or wanted twice.
    """
    with ExitStack() as held:
        sockets = {option: held.enter_context(listening(host, port, option)) for option, port in wanted.items()}
        return {option: taken.getsockname()[1] for option, taken in sockets.items()}
