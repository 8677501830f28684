"""PaddleX's REST interface in front of Triton."""

from .app import create_app
from .settings import Settings
from .workers import Workers

__all__ = ["Settings", "Workers", "create_app"]
