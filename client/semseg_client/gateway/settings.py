"""What can be set about the gateway."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once, where the process starts. Each has an environment variable: SEMSEG_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="SEMSEG_")

    url: str = Field(default="localhost:8001", description="tritonserver's gRPC address")
    model: str | None = Field(default=None, description="the model that answers; may be left out if one is served")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on; 0: a free one")
    timeout: float = Field(default=60.0, gt=0, description="seconds that an inference may take")
    max_body_bytes: int = Field(default=64 * 2**20, gt=0, description="largest request body")
