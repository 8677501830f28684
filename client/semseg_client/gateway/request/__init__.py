"""From a request to the images that it brings and what it asks of them."""

from .asked import Asked
from .bulk import Batch, read_batch
from .single import read_one

__all__ = ["Asked", "Batch", "read_batch", "read_one"]
