"""TLS to a tritonserver on another host.

A URL that begins with `grpcs://` requests it. `Tls`, or else the environment (SEMSEG_TRITON_CA, SEMSEG_TRITON_CERTIFICATE,
SEMSEG_TRITON_KEY), names the files of the trusted authority and of the client's own certificate and key.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from ..errors import ConfigurationError
from ..ports import is_loopback

_TLS = "grpcs://"
_PLAIN = "grpc://"
_CA, _CERTIFICATE, _KEY = "SEMSEG_TRITON_CA", "SEMSEG_TRITON_CERTIFICATE", "SEMSEG_TRITON_KEY"


@dataclass(frozen=True)
class Tls:
    """PEM files: the authorities to trust (default: gRPC's own), and the client's certificate and key."""

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None


def target(url: str) -> str:
    """`host:port` of a URL."""
    return url.removeprefix(_TLS).removeprefix(_PLAIN)


def credentials(url: str, tls: Tls | None) -> grpc.ChannelCredentials | None:
    """The credentials for a connection to `url`; None if it is not encrypted.

    Raises:
        ConfigurationError: a file cannot be used, or it is unclear whether TLS is wanted.
    """
    named = [name for name in (_CA, _CERTIFICATE, _KEY) if os.environ.get(name)]
    if not url.startswith(_TLS):
        if tls is not None:
            raise ConfigurationError(f"{url}: TLS files are given, but the URL does not request TLS; write grpcs://{target(url)}")
        if named and not url.startswith(_PLAIN) and not is_loopback(url.rpartition(":")[0].strip("[]")):
            raise ConfigurationError(f"{url}: {named[0]} is set; write grpcs://{url} for TLS, or grpc://{url} for none")
        return None
    files = tls or Tls(*(os.environ.get(name) or None for name in (_CA, _CERTIFICATE, _KEY)))
    if (files.certificate is None) != (files.key is None):
        raise ConfigurationError(f"{url}: a client's certificate and its key belong together ({_CERTIFICATE}, {_KEY})")
    _check(files)
    contents = (None if file is None else Path(file).read_bytes() for file in (files.ca, files.key, files.certificate))
    return grpc.ssl_channel_credentials(*contents)


def _check(files: Tls) -> None:
    """Check the files now: gRPC would only report, much later, that it cannot connect."""
    context = ssl.create_default_context()
    file: object = None
    try:
        if files.ca is not None:
            file = files.ca
            context.load_verify_locations(files.ca)
        if files.certificate is not None:
            file = f"{files.certificate}, {files.key}"
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except ssl.SSLError as error:
        raise ConfigurationError(f"{file}: not a usable PEM file for TLS to tritonserver ({error.reason or error})") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
