"""Client of Paddle's semantic segmentation models on Triton."""

from .client import AsyncClient, Client
from .errors import (
    DeadlineExceeded,
    InvalidImage,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    SemsegError,
    ServerError,
    ServingError,
    Unavailable,
)
from .segmentation import Model, Segmentation

__all__ = [
    "AsyncClient",
    "Client",
    "DeadlineExceeded",
    "InvalidImage",
    "InvalidRequest",
    "Model",
    "ModelNotFound",
    "Overloaded",
    "Segmentation",
    "SemsegError",
    "ServerError",
    "ServingError",
    "Unavailable",
]
