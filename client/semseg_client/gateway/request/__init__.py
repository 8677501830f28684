"""Reads a request: its images and its options."""

from .batch import Batch, read_batch
from .image_request import ImageRequest
from .single import read_one

__all__ = ["Batch", "ImageRequest", "read_batch", "read_one"]
