"""How much of a gateway process callers may use, so that no caller starves the others."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Budgets(BaseSettings):
    """Set only by environment variables: SEMSEG_ and the name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    max_connections: int = Field(default=1000, gt=0, description="open connections per process")
    max_waiting: int = Field(default=128, gt=0, description="images waiting for a model, per process")
    body_memory: int = Field(
        default=256 * 2**20, gt=0, description="bytes of request bodies held in memory, by all processes together"
    )
    answer_memory: int = Field(
        default=256 * 2**20, gt=0, description="bytes of responses that callers are still reading, in all processes together"
    )
    header_timeout: float = Field(default=10.0, gt=0, description="seconds within which the head of a request must arrive")
    idle_timeout: int = Field(default=5, gt=0, description="seconds that an idle connection stays open")
    body_timeout: float = Field(default=10.0, gt=0, description="seconds that a request body may stall")
    answer_timeout: float = Field(default=30.0, gt=0, description="seconds that a caller may stall while reading its response")
    min_rate: int = Field(
        default=16 * 2**10, ge=0, description="slowest rate, in bytes per second, at which a caller may send and read"
    )
    rate_grace: float = Field(default=20.0, gt=0, description="seconds before that rate is enforced")
