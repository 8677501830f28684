"""A gateway without a tritonserver: what real connections leave in its log, and which keys its processes accept."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest
import requests

from demo.run import serving

GARBAGE = (
    b"GARBAGE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS sent to a port without it
    b"GET /models HTTP/1.1\r\n\r\n",
    b"GET /models HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    b"GET /docs HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /semantic-segmentation HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    b"POST /semantic-segmentation HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"",
)


def test_garbage_is_no_error_and_a_health_check_needs_no_host(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path, "--url=127.0.0.1:1", SEMSEG_ACCESS_LOG="json") as addresses:
        port = int(addresses["rest"].rpartition(":")[2])
        for sent in GARBAGE:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert b'"errorMsg":"Unhealthy' in answer
        requests.get(f"{addresses['rest']}/models?secret=1", headers={"X-Log-Id": "mine"}, timeout=10)
    out, err = capfd.readouterr()
    assert err == ""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [(line["log_id"], line["status"]) for line in lines if line["level"] == "error"][-1] == ("mine", 503)
    assert {line["status"] for line in lines if line["level"] == "error"} == {503}
    assert "secret" not in out


def test_every_process_takes_a_new_key_and_no_longer_the_old(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text("alice: the-first-key\n")
    with serving(tmp_path, "--url=127.0.0.1:1", "--workers=2", f"--api-keys-file={file}") as addresses:

        def statuses(key: str) -> set[int]:
            headers = {"X-API-Key": key, "Connection": "close"}
            return {requests.get(f"{addresses['rest']}/nothing", headers=headers, timeout=10).status_code for _ in range(20)}

        assert (statuses("the-first-key"), statuses("the-second-key")) == ({404}, {401})
        file.write_text("bob: the-second-key\n")
        end = time.monotonic() + 10
        while (found := (statuses("the-first-key"), statuses("the-second-key"))) != ({401}, {404}):
            assert time.monotonic() < end, found
    out, err = capfd.readouterr()
    assert "everyone on this machine can use the keys" in out
    assert "the-first-key" not in out + err
