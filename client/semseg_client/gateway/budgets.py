"""What callers may use of a gateway process, so that none of them can starve the others."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Budgets(BaseSettings):
    """Set only by environment variables: SEMSEG_ and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    max_connections: int = Field(default=1000, gt=0, description="connections that a process keeps open")
    max_waiting: int = Field(default=128, gt=0, description="images that wait for a model in a process")
    body_memory: int = Field(default=256 * 2**20, gt=0, description="bytes of request bodies held by all processes together")
    answer_memory: int = Field(default=256 * 2**20, gt=0, description="bytes of answers being read, all processes together")
    header_timeout: float = Field(default=10.0, gt=0, description="seconds for the head of a request to arrive")
    idle_timeout: int = Field(default=5, gt=0, description="seconds that a connection stays open between two requests")
    body_timeout: float = Field(default=10.0, gt=0, description="seconds without a byte of a request body")
    answer_timeout: float = Field(default=30.0, gt=0, description="seconds without the caller reading a byte of its answer")
    min_rate: int = Field(default=16 * 2**10, ge=0, description="bytes per second that a caller must send and read")
    rate_grace: float = Field(default=20.0, gt=0, description="seconds before that rate is enforced")
