"""From what Triton found to the body of an answer, a module for each kind."""

from .fields import content
from .kinds import Answer, answer, described

__all__ = ["Answer", "answer", "content", "described"]
