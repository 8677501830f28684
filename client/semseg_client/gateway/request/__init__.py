"""From a request to the images that it brings and what it asks of them."""

from .batch import Batch, read_batch
from .image_request import ImageRequest
from .single import read_one

__all__ = ["Batch", "ImageRequest", "read_batch", "read_one"]
