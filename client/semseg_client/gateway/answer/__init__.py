"""Turns Triton's result into the body of an answer, one module for each kind."""

from .fields import content
from .kinds import Answer, answer, described

__all__ = ["Answer", "answer", "content", "described"]
