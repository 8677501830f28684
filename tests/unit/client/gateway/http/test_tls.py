from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from semseg_client.errors import ConfigurationError
from semseg_client.gateway.http.tls import server_context
from tests.certificates import Authority, Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Authority(tmp_path).pair("server")


def test_it_speaks_tls_from_1_2_on(pair: Pair) -> None:
    context = server_context(pair.certificate, pair.key, None)
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE)


def test_the_key_may_stand_in_the_certificates_file(pair: Pair, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    server_context(both, None, None)


def test_callers_may_need_a_certificate(pair: Pair, tmp_path: Path) -> None:
    assert server_context(pair.certificate, pair.key, tmp_path / "authority.pem").verify_mode == ssl.CERT_REQUIRED


def test_what_cannot_be_used_is_told(pair: Pair, tmp_path: Path) -> None:
    none, text, locked = tmp_path / "none.pem", tmp_path / "text.pem", tmp_path / "locked.key"
    text.write_text("nothing")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"password")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    for files, told in (
        ((none, None, None), f"SEMSEG_TLS_CERTIFICATE: {none}: No such file"),
        ((pair.certificate, none, None), f"SEMSEG_TLS_KEY: {none}: No such file"),
        ((pair.certificate, None, None), f"{pair.certificate} is not a PEM certificate, or it does not hold"),
        ((pair.certificate, text, None), f"{text} does not hold"),
        ((pair.certificate, locked, None), f"{locked} does not hold"),
        ((pair.certificate, pair.key, text), f"SEMSEG_TLS_CLIENT_CA: {text} holds no PEM certificate"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            server_context(*files)
        assert told in str(caught.value)
