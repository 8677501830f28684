"""Client for Paddle's semantic segmentation models on Triton."""

from typing import TYPE_CHECKING, Any

from .device import Device
from .errors import (
    ConfigurationError,
    DeadlineExceeded,
    DeviceError,
    InvalidImage,
    InvalidInput,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    SemsegError,
    ServerError,
    ServingError,
    SharedMemoryFull,
    SharedMemoryTooSmall,
    Unavailable,
    UnreadableInput,
    UnwritableOutput,
)
from .pipeline.async_pipeline import AsyncPipeline
from .pipeline.config import PipelineConfig
from .pipeline.pipeline import Failed, Pipeline, create_pipeline
from .triton.client import AsyncClient, Client
from .triton.tls import Tls
from .types import Drawing, Model, Segmentation

if TYPE_CHECKING:
    from .results.result import Result

__all__ = [
    "AsyncClient",
    "AsyncPipeline",
    "Client",
    "ConfigurationError",
    "DeadlineExceeded",
    "Device",
    "DeviceError",
    "Drawing",
    "Failed",
    "InvalidImage",
    "InvalidInput",
    "InvalidRequest",
    "Model",
    "ModelNotFound",
    "Overloaded",
    "Pipeline",
    "PipelineConfig",
    "Result",
    "Segmentation",
    "SemsegError",
    "ServerError",
    "ServingError",
    "SharedMemoryFull",
    "SharedMemoryTooSmall",
    "Tls",
    "Unavailable",
    "UnreadableInput",
    "UnwritableOutput",
    "create_pipeline",
]


def __getattr__(name: str) -> Any:
    """Import `Result` only when it is used: it needs Pillow and OpenCV, which a plain client does without."""
    if name == "Result":
        from .results.result import Result

        return Result
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
