from __future__ import annotations

from pathlib import Path

import pytest

from semseg_client import Client, ConfigurationError, Tls
from semseg_client.triton.tls import credentials, target
from tests.certificates import Authority


@pytest.mark.parametrize("url", ["triton:8001", "grpc://triton:8001", "grpcs://triton:8001"])
def test_the_target_is_host_and_port(url: str) -> None:
    assert target(url) == "triton:8001"


def test_the_url_asks_for_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    assert credentials("triton:8001", None) is None
    assert credentials("grpcs://triton:8001", None) is not None
    pair = authority.pair("client")
    assert credentials("grpcs://triton:8001", Tls(authority.certificate, pair.certificate, pair.key)) is not None
    monkeypatch.setenv("SEMSEG_TRITON_CA", str(authority.certificate))
    assert credentials("grpcs://triton:8001", None) is not None
    for plain in ("grpc://triton:8001", "127.0.0.1:8001", "localhost:8001", "[::1]:8001"):
        assert credentials(plain, None) is None  # including the pipelines' own servers


def test_nobody_is_left_without_the_tls_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="write grpcs://triton:8001"):
        Client("triton:8001", tls=Tls(ca="ca.pem"))
    monkeypatch.setenv("SEMSEG_TRITON_CA", "ca.pem")
    with pytest.raises(ConfigurationError, match="SEMSEG_TRITON_CA is set; write grpcs://triton:8001"):
        Client("triton:8001")


def test_a_file_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client, other = authority.pair("client"), authority.pair("other")
    none, text = tmp_path / "none.pem", tmp_path / "text.pem"
    text.write_text("no certificate")
    for tls, told in (
        (Tls(none), f"{none}: No such file"),
        (Tls(text), f"{text}: not a usable PEM file"),
        (Tls(authority.certificate, client.certificate), "belong together"),
        (Tls(authority.certificate, client.certificate, none), f"{none}: No such file"),
        (Tls(authority.certificate, client.certificate, other.key), f"{other.key}: not a usable PEM file"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            credentials("grpcs://triton:8001", tls)
        assert told in str(caught.value)
