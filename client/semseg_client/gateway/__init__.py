"""PaddleX's REST interface in front of Triton."""

from .app import create_app
from .settings import Settings

__all__ = ["Settings", "create_app"]
