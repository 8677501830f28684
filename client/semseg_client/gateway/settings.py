"""What can be set about the gateway."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from semseg_contract.cores import cores

from .access.hosts import host_name
from .http import log
from .limits import Limits

# Of what a request to the smallest network costs, the gateway takes a fifth; of others less.
CORES_A_WORKER = 4
MOST_WORKERS = 256

Hosts = Annotated[tuple[str, ...], NoDecode]


class Settings(Limits):
    """Read once, where the process starts. Each has an environment variable: SEMSEG_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    url: str = Field(default="localhost:8001", description="tritonserver's gRPC address")
    model: str | None = Field(default=None, description="the model that answers where a request names none")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0: a free one")
    workers: int = Field(
        default_factory=lambda: min(max(1, cores() // CORES_A_WORKER), MOST_WORKERS),
        ge=1,
        le=MOST_WORKERS,
        description="processes that answer REST requests",
    )
    timeout: float = Field(default=60.0, gt=0, description="seconds that an inference may take")
    max_body_bytes: int = Field(default=64 * 2**20, gt=0, description="largest request body")
    max_pixels: int = Field(default=178_956_970, gt=0, description="pixels of the largest image, beside each model's own limit")
    max_images: int = Field(default=256, gt=0, description="most images of one batch request")
    batch_concurrency: int = Field(default=4, gt=0, description="images of one batch request that are under way at once")
    image_hosts: Hosts = Field(
        default=(),
        description="hosts that an image may be fetched from by URL, separated by commas: names, *.example.com, * for every"
        " public one; a private address only if it, or a network like 10.0.0.0/8, is listed too; none: URLs are refused",
    )
    image_timeout: float = Field(default=10.0, gt=0, description="seconds that fetching an image by URL may take")

    # Who may call, and what is seen of it.
    allowed_hosts: Hosts = Field(
        default=(),
        description="hosts that a request may name, separated by commas, beside localhost and loopback addresses: names,"
        " *.example.com, addresses, * for all; none: on loopback no other, elsewhere see docs/contract.md",
    )
    cors_origins: Hosts = Field(
        default=(), description="web pages' origins that may call, separated by commas: https://app.example.com, or * for all"
    )
    api_keys_file: Path | None = Field(default=None, description="file of the API keys; none: requests need no key")
    tls_certificate: Path | None = Field(default=None, description="PEM file with the certificate chain; none: no TLS")
    tls_key: Path | None = Field(default=None, description="PEM file with its key, where the certificate's own file has none")
    tls_client_ca: Path | None = Field(default=None, description="PEM file of the authorities whose certificates callers need")
    access_log: log.Form = Field(default="off", description="a line for each request: json, text or off")

    @field_validator("image_hosts", "allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return tuple(filter(None, (each.strip().lower() for each in value.split(",")))) if isinstance(value, str) else value

    @field_validator("image_hosts")
    @classmethod
    def _hosts(cls, value: Hosts) -> Hosts:
        for each in value:
            if "/" in each:
                ip_network(each)  # its ValueError tells what is wrong, as that 10.0.0.1/8 has host bits set
            elif re.search(r":\d+$", each) and each.count(":") == 1:
                raise ValueError(f"{each}: leave the port out, a host is listed with all of its ports")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: Hosts) -> Hosts:
        for each in value:
            if host_name(each.replace("*", "x")) is None or re.search(r"^[^\[]*:|\]:", each):
                raise ValueError(f"{each}: list a name, *.example.com, an IPv4 address or [IPv6 address], without a port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: Hosts) -> Hosts:
        for each in value:
            if each != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^/:?#@*\s]+)(:\d+)?", each) is None:
                raise ValueError(f"{each}: an origin is like https://app.example.com or http://localhost:3000, without a path")
        return value

    @field_validator("tls_key", "tls_client_ca")
    @classmethod
    def _with_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_certificate") is None:
            raise ValueError("is of no use without SEMSEG_TLS_CERTIFICATE")
        return value
