"""What can be set about the gateway."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from semseg_server.backends.onnxruntime.cores import cores

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

    @field_validator("image_hosts", mode="before")
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
