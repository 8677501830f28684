"""PaddleX's REST interface in front of Triton."""

from .settings import Settings
from .workers import Workers

__all__ = ["Settings", "Workers"]
