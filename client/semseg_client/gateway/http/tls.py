"""TLS for the gateway's callers."""

from __future__ import annotations

import ssl
from pathlib import Path

from ...errors import ConfigurationError


def server_context(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later. `key` is None if `certificate` also holds it. With `client_ca`, callers need a certificate signed by it.

    Raises:
        ConfigurationError: a file cannot be used; the message names its setting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _check_readable("SEMSEG_TLS_CERTIFICATE", certificate)
    if key is not None:
        _check_readable("SEMSEG_TLS_KEY", key)
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # never prompt on the terminal
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"SEMSEG_TLS_CERTIFICATE, SEMSEG_TLS_KEY: {certificate} is not a PEM certificate, or {key or 'it'} does not hold its"
            f" unencrypted key ({_reason(error)})"
        ) from None
    if client_ca is not None:
        _check_readable("SEMSEG_TLS_CLIENT_CA", client_ca)
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"SEMSEG_TLS_CLIENT_CA: {client_ca} holds no PEM certificate ({_reason(error)})") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_readable(setting: str, file: Path) -> None:
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise ConfigurationError(f"{setting}: {file}: {error.strerror}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)
