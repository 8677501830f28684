"""Triton's ports stay closed to strangers, whatever they send."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import requests

from demo.run import serving
from tests.integration.triton import tritonserver
from tests.support import DEMO, ROOT, Service, processes_of, server_of

GRPC = "inference.GRPCInferenceService"
CLOSED = (
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister",
    "CudaSharedMemoryUnregister",
    "TraceSetting",
    "LogSettings",
)
# No client library sends these, but anyone with a socket can.
HEADERS = (
    (),
    ((b"closed", b"1"),),
    ((b"triton-grpc-protocol-closed", b"1"),),
    ((b"triton-grpc-protocol-CLOSED", b"1"),),
    ((b"triton-grpc-protocol-CLOSED-bin", b"1"),),
    ((b"triton-grpc-protocol-\nclosed", b"1"),),
)
HTTP_HEADERS = (
    b"closed: 1",
    b"CLOSED: 1",
    b"\nclosed: 1",
    b" \nclosed: 1",
    b"x: y\r\n\nclosed: 1",
    b"x: y\n\nclosed: 1",
    b"\r\n closed: 1",
    b"triton-grpc-protocol-CLOSED: 1",
)
EVIL = {
    "parameters": {
        "config": json.dumps({"backend": "python", "max_batch_size": 0}),
        "file:1/model.py": "raise SystemExit",
    }
}


def call(address: str, method: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a gRPC call with an empty message succeeds; the frames are written by hand."""
    config = h2.config.H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    connection = h2.connection.H2Connection(config)
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as peer:
        connection.initiate_connection()
        known = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", f"/{GRPC}/{method}".encode()), (b":authority", b"x")]
        connection.send_headers(1, [*known, (b"te", b"trailers"), (b"content-type", b"application/grpc"), *headers])
        connection.send_data(1, struct.pack(">BI", 0, 0), end_stream=True)
        peer.sendall(connection.data_to_send())
        while received := peer.recv(65536):
            for event in connection.receive_data(received):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    status = dict(event.headers).get(b"grpc-status")
                    if status is not None:
                        return bool(status == b"0")
                if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                    return False
            peer.sendall(connection.data_to_send())
    return False


def get(url: str, header: bytes) -> bytes:
    """The first line of the answer to a GET with these bytes as a header line; empty if the connection is closed."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as peer:
        peer.sendall(b"GET /v2/logging HTTP/1.1\r\nHost: x\r\n" + header + b"\r\nConnection: close\r\n\r\n")
        return peer.recv(4096).partition(b"\r\n")[0]


@pytest.mark.parametrize("method", CLOSED)
def test_over_grpc_nothing_but_inference_is_open(service: Service, method: str) -> None:
    assert not any(call(service.grpc, method, headers) for headers in HEADERS)


def test_inference_and_what_clients_must_know_stay_open(service: Service) -> None:
    assert all(call(service.grpc, method, ()) for method in ("ServerLive", "ServerMetadata", "RepositoryIndex"))


def test_over_http_nothing_but_inference_is_open(service: Service) -> None:
    for path in ("logging", "trace/setting", "systemsharedmemory/status", "cudasharedmemory/status"):
        assert requests.get(f"{service.http}/v2/{path}", timeout=5).status_code == 403
    assert {get(str(service.http), header) for header in HTTP_HEADERS} <= {
        b"HTTP/1.1 403 Forbidden",
        b"",
        b"HTTP/1.1 400 Bad Request",
    }


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_models_can_neither_be_loaded_nor_unloaded(service: Service, kind: str) -> None:
    before = processes_of(service.grpc, "draw")
    for path in ("evil/load", "draw/load", "draw/unload", f"{DEMO}/unload"):
        answer = requests.post(
            f"{service.http}/v2/repository/models/{path}", json.dumps(EVIL), headers={"Content-Type": kind}, timeout=5
        )
        assert answer.status_code == 503
        assert "not allowed if polling is enabled" in answer.text
    for method in ("RepositoryModelLoad", "RepositoryModelUnload"):
        assert not call(service.grpc, method, ())
    assert processes_of(service.grpc, "draw") == before


def test_no_secret_stands_in_the_command_line(service: Service) -> None:
    """Every local user can read it, but cannot do anything with it."""
    words = server_of(service.grpc).cmdline()
    assert [word for word in words if "restricted" in word] == [
        "--http-restricted-api=shared-memory,trace,logging:\nclosed=1",
        "--grpc-restricted-protocol=shared-memory,trace,logging:CLOSED=1",
    ]


def test_triton_http_is_off_unless_it_is_asked_for(repository: Path) -> None:
    with serving(repository, "--model", DEMO) as addresses:
        assert addresses["http"] is None
        server = server_of(addresses["grpc"])
        listening = [each for each in server.net_connections("inet") if each.status == "LISTEN"]
        assert len(listening) == 2
        assert {each.laddr.ip.removeprefix("::ffff:") for each in listening} == {"127.0.0.1"}


def test_the_bare_server_is_closed_alike_and_its_health_is_a_real_inference(repository: Path, tmp_path: Path) -> None:
    def healthy(url: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [sys.executable, ROOT / "server" / "healthcheck.py", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    with tritonserver(repository, tmp_path / "log", "--exit-timeout-secs=1", ends_well=False) as server:
        assert not any(call(server.grpc, "LogSettings", headers) for headers in HEADERS)
        assert requests.get(f"{server.http}/v2/logging", timeout=5).status_code == 403
        answer = requests.post(f"{server.http}/v2/repository/models/evil/load", json.dumps(EVIL), timeout=5)
        assert answer.status_code == 503
        assert healthy(server.http).stdout.startswith(f"healthy: {DEMO}")
        [draw] = processes_of(server.grpc, "draw")
        draw.kill()
        broken = healthy(server.http)
        assert (broken.returncode, broken.stdout) == (1, "")
        assert broken.stderr.startswith("not healthy: ")
