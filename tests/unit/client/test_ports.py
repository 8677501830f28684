from __future__ import annotations

import socket

import pytest

from semseg_client import ServingError
from semseg_client.ports import free_ports, listening


def test_zero_gives_free_ports_all_different() -> None:
    ports = free_ports("127.0.0.1", {"--a": 0, "--b": 0, "--c": 0})
    assert len(set(ports.values())) == 3
    for port in ports.values():
        listening("127.0.0.1", port, "--again").close()


def test_a_taken_port_is_told_with_its_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServingError) as refused:
            free_ports("127.0.0.1", {"--grpc-port": port})
    assert str(refused.value) == f"cannot listen on 127.0.0.1:{port} (--grpc-port): Address already in use"


def test_one_port_cannot_be_wanted_twice() -> None:
    port = free_ports("127.0.0.1", {"--a": 0})["--a"]
    with pytest.raises(ServingError, match="--b"):
        free_ports("127.0.0.1", {"--a": port, "--b": port})
