"""Turns Triton's result into the body of an answer: JSON, PNG, JPEG or bytes."""

from .fields import content
from .kinds import Answer, answer, described

__all__ = ["Answer", "answer", "content", "described"]
