"""TLS on both sides of the gateway: tritonserver and REST both ask for a client certificate."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from demo.run import serving
from semseg_client import AsyncClient, Client, Tls, Unavailable, create_pipeline
from tests.certificates import Authority
from tests.support import DEMO, STREET

from .triton import tritonserver


@dataclass(frozen=True)
class Server:
    url: str  # grpcs://
    tls: Tls
    stranger: Authority


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def server(repository: Path, folder: Path, authority: Authority) -> Iterator[Server]:
    server, client = authority.pair("server"), authority.pair("client")
    tls = Tls(authority.certificate, client.certificate, client.key)
    flags = (
        "--grpc-use-ssl-mutual=true",
        f"--grpc-server-cert={server.certificate}",
        f"--grpc-server-key={server.key}",
        f"--grpc-root-cert={authority.certificate}",
    )
    models = ("--model-control-mode=explicit", f"--load-model={DEMO}")
    # A test calls it at 127.0.0.2, which counts as another host.
    with tritonserver(repository, folder / "log", *flags, *models, "--grpc-address=0.0.0.0", tls=tls) as running:
        yield Server(f"grpcs://{running.grpc}", tls, Authority(folder, "stranger"))


def test_every_client_speaks_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(server.url, tls=server.tls) as client:
        expected = client.segment(STREET).label_map

    async def awaited() -> bytes:
        async with AsyncClient(server.url, tls=server.tls) as client:
            return (await client.segment(STREET)).label_map.tobytes()

    assert asyncio.run(awaited()) == expected.tobytes()
    with create_pipeline(url=server.url, model=DEMO, tls=server.tls) as pipeline:
        [result] = pipeline.predict(STREET)
    assert (result.label_map == expected).all()
    for name, file in (("CA", server.tls.ca), ("CERTIFICATE", server.tls.certificate), ("KEY", server.tls.key)):
        monkeypatch.setenv(f"SEMSEG_TRITON_{name}", str(file))
    with create_pipeline(url=server.url, model=DEMO) as pipeline:
        assert pipeline.model.name == DEMO


def test_who_is_not_known_is_told_so(server: Server) -> None:
    stranger = server.stranger.pair("unknown")
    for url, tls, told in (
        (server.url, Tls(server.tls.ca), "or a client certificate"),
        (server.url, Tls(server.tls.ca, stranger.certificate, stranger.key), "or a client certificate"),
        (server.url.removeprefix("grpcs://"), None, "does it require TLS"),
        (server.url, Tls(server.stranger.certificate), "its certificate is not trusted here"),
        (server.url.replace("127.0.0.1", "127.0.0.2"), server.tls, "for another host"),
    ):
        with Client(url, 5, tls=tls) as client, pytest.raises(Unavailable, match=told):
            client.models()


def test_the_gateway_has_tls_at_both_ends_and_keys(
    server: Server, repository: Path, authority: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A caller's certificate and key work as always, and garbage from strangers is not logged as our error."""
    rest, caller, keys = authority.pair("rest"), authority.pair("caller"), tmp_path / "keys.yaml"
    keys.write_text("alice: the-key-of-alice\n")
    keys.chmod(0o600)
    with serving(
        repository,
        f"--url={server.url}",
        f"--tls-certificate={rest.certificate}",
        f"--tls-key={rest.key}",
        f"--api-keys-file={keys}",
        SEMSEG_TLS_CLIENT_CA=str(authority.certificate),
        SEMSEG_TRITON_CA=str(server.tls.ca),
        SEMSEG_TRITON_CERTIFICATE=str(server.tls.certificate),
        SEMSEG_TRITON_KEY=str(server.tls.key),
        SEMSEG_ACCESS_LOG="json",
    ) as addresses:
        assert addresses["rest"].startswith("https://127.0.0.1:")
        url = f"{addresses['rest']}/semantic-segmentation"
        session = requests.Session()
        session.trust_env = False  # the environment may name a different authority
        session.verify, session.cert = str(authority.certificate), (str(caller.certificate), str(caller.key))
        sent = {"Content-Type": "image/jpeg", "X-API-Key": "the-key-of-alice", "X-Request-Id": "frame-17"}
        answer = session.post(url, STREET.read_bytes(), params={"outputs": "classes"}, headers=sent, timeout=30)
        assert (answer.status_code, answer.json()["logId"]) == (200, "frame-17")
        assert session.post(url, b"x", timeout=30).status_code == 401
        assert session.head(f"{addresses['rest']}/health", timeout=30).status_code == 200
        session.cert = None
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(url, timeout=30)
        session.close()  # otherwise the TLS shutdown waits for the caller
        port = int(addresses["rest"].rpartition(":")[2])
        for garbage in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b""):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
                plain.sendall(garbage)
                plain.shutdown(socket.SHUT_WR)
                assert b"200" not in plain.recv(100)
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [(line["status"], line["log_id"], line["key"]) for line in lines[:1]] == [(200, "frame-17", "alice")]
    assert (lines[0]["model"], lines[0]["width"], lines[0]["height"]) == (DEMO, 1024, 512)
    assert [line["status"] for line in lines] == [200, 401, 200]
    assert "the-key-of-alice" not in out + err
    assert "rror" not in err
