"""What callers may take of a gateway process, so that none of them can take it from the others."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Limits(BaseSettings):
    """Set by environment variables alone: SEMSEG_ and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    max_connections: int = Field(default=1000, gt=0, description="connections that a process keeps open")
    max_waiting: int = Field(default=128, gt=0, description="images that wait for a model in a process")
    body_memory: int = Field(default=256 * 2**20, gt=0, description="bytes of request bodies that are held, of all processes")
    answer_memory: int = Field(default=256 * 2**20, gt=0, description="bytes of answers that are being read, of all processes")
    header_timeout: float = Field(default=10.0, gt=0, description="seconds for the head of a request to arrive")
    idle_timeout: int = Field(default=5, gt=0, description="seconds that a connection stays open between two requests")
    body_timeout: float = Field(default=10.0, gt=0, description="seconds without a byte of a request body")
    answer_timeout: float = Field(default=30.0, gt=0, description="seconds in which a caller takes no byte of its answer")
    min_rate: int = Field(default=16 * 2**10, ge=0, description="bytes a second at which a caller must send and read")
    rate_grace: float = Field(default=20.0, gt=0, description="seconds before that rate is asked for")
