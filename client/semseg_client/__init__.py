"""Client of Paddle's semantic segmentation models on Triton."""

from .async_pipeline import AsyncPipeline
from .client import AsyncClient, Client
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
    Unavailable,
    UnreadableInput,
)
from .pipeline import Failed, Pipeline, create_pipeline
from .pipeline_config import PipelineConfig
from .segmentation import Model, Segmentation

__all__ = [
    "AsyncClient",
    "AsyncPipeline",
    "Client",
    "ConfigurationError",
    "DeadlineExceeded",
    "Device",
    "DeviceError",
    "Failed",
    "InvalidImage",
    "InvalidInput",
    "InvalidRequest",
    "Model",
    "ModelNotFound",
    "Overloaded",
    "Pipeline",
    "PipelineConfig",
    "Segmentation",
    "SemsegError",
    "ServerError",
    "ServingError",
    "Unavailable",
    "UnreadableInput",
    "create_pipeline",
]
