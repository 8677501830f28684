"""The gateway's settings."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from semseg_contract.cores import cores

from ..url_prefix import PREFIX, is_prefix
from .access.hosts import host_name
from .budgets import Budgets
from .http import log

# The gateway accounts for a fifth of the cost of a request to the smallest network, and for less with others.
CORES_A_WORKER = 4
MOST_WORKERS = 256

Hosts = Annotated[tuple[str, ...], NoDecode]


class Settings(Budgets):
    """Read once, when the process starts. Each has an environment variable: SEMSEG_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    url: str = Field(default="localhost:8001", description="tritonserver's gRPC address")
    model: str | None = Field(default=None, description="the model for requests that name none")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0: a free one")
    root_path: str | None = Field(
        default=None,
        description="prefix under which a reverse proxy offers the service, such as /seg; whether the proxy removes it or not",
    )
    workers: int = Field(
        default_factory=lambda: min(max(1, cores() // CORES_A_WORKER), MOST_WORKERS),
        ge=1,
        le=MOST_WORKERS,
        description="processes that answer REST requests",
    )
    timeout: float = Field(default=60.0, gt=0, description="seconds an inference may take")
    max_body_bytes: int = Field(default=64 * 2**20, gt=0, description="largest request body")
    max_pixels: int = Field(
        default=178_956_970, gt=0, description="maximum pixels per image; each model's own limit also applies"
    )
    max_images: int = Field(default=256, gt=0, description="maximum number of images in a batch request")
    batch_concurrency: int = Field(default=4, gt=0, description="images of a batch request in flight at once")
    image_hosts: Hosts = Field(
        default=(),
        description="hosts that images may be fetched from by URL, separated by commas: names, *.example.com, * for every"
        " public one; private addresses only if they, or a network like 10.0.0.0/8, are listed too; empty: URLs are refused",
    )
    image_timeout: float = Field(default=10.0, gt=0, description="seconds that fetching an image by URL may take")

    # Who may call, and what is logged.
    allowed_hosts: Hosts = Field(
        default=(),
        description="hosts that requests may name besides localhost and loopback addresses, separated by commas: names,"
        " *.example.com, addresses, * for all; empty: no others on loopback, elsewhere see docs/contract.md",
    )
    cors_origins: Hosts = Field(
        default=(), description="origins whose web pages may call, separated by commas: https://app.example.com, or * for all"
    )
    api_keys_file: Path | None = Field(default=None, description="file with the API keys; unset: requests need no key")
    tls_certificate: Path | None = Field(default=None, description="PEM file with the certificate chain; unset: no TLS")
    tls_key: Path | None = Field(default=None, description="PEM file with its key, if the certificate's file has none")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM file of the CAs that must have signed callers' certificates"
    )
    access_log: log.Form = Field(default="off", description="a line for each request: json, text or off")

    @field_validator("image_hosts", "allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return tuple(filter(None, (each.strip().lower() for each in value.split(",")))) if isinstance(value, str) else value

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not is_prefix(value):
            raise ValueError(f"{value!r} is not {PREFIX}")
        return value

    @field_validator("image_hosts")
    @classmethod
    def _hosts(cls, value: Hosts) -> Hosts:
        for each in value:
            if "/" in each:
                ip_network(each)  # its ValueError says what is wrong, such as host bits set in 10.0.0.1/8
            elif re.search(r":\d+$", each) and each.count(":") == 1:
                raise ValueError(f"{each}: leave out the port; a listed host covers all its ports")
            elif "*" in each.removeprefix("*.") and each != "*":  # *example.com would also allow evilexample.com
                raise ValueError(f"{each}: write *.example.com for the hosts under a name, or * for every public host")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: Hosts) -> Hosts:
        for each in value:
            name = "x" if each == "*" else each.removeprefix("*.")
            if host_name(name) is None or re.search(r"^[^\[]*:|\]:", name):
                raise ValueError(f"{each}: list a name, *.example.com, an IPv4 address or [IPv6 address], without a port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: Hosts) -> Hosts:
        for each in value:
            if each != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^/:?#@*\s]+)(:\d+)?", each) is None:
                raise ValueError(f"{each}: an origin looks like https://app.example.com or http://localhost:3000, without a path")
        return value

    @field_validator("tls_key", "tls_client_ca")
    @classmethod
    def _with_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_certificate") is None:
            raise ValueError("needs SEMSEG_TLS_CERTIFICATE")
        return value
