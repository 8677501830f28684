"""Finds free ports. If a port is taken, the error names the option that set it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from .errors import ServingError


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listening(host: str, port: int, option: str) -> socket.socket:
    """A listening socket; port 0 means any free port.

    Raises:
        ServingError: the port is not available; the message names `option`, which set it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # drop the remark that Python adds in brackets
        raise ServingError(f"cannot listen on {host}:{port} ({option}): {reason}") from None


def free_ports(host: str, wanted: Mapping[str, int]) -> dict[str, int]:
    """Ports for another process, keyed by option: those requested, with a free port in place of each 0.

    Raises:
        ServingError: a port is taken, or two options request the same one.
    """
    with ExitStack() as held:
        sockets = {option: held.enter_context(listening(host, port, option)) for option, port in wanted.items()}
        return {option: taken.getsockname()[1] for option, taken in sockets.items()}
