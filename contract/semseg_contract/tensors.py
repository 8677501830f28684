"""Names of the tensors, and of the parameters that a request may carry."""

from __future__ import annotations

IMAGE = "image"  # BYTES [1]: one encoded image
PIXELS = "pixels"  # UINT8 [H, W, 3]: RGB
LANE = "lane"  # INT8 [any]: only its length counts; requests of equal length may share a batch
SOURCE_SIZE = "source_size"  # INT32 [2]: height and width of the decoded image
IDS = "ids"  # UINT8 [H, W]: a class id for each of the pixels
LABEL_MAP = "label_map"  # UINT8 [source H, source W]: a class id for each pixel of the image
PICTURE = "picture"  # BYTES [1]: a JPEG of the label map

TARGET_SIZE = "target_size"
ADMITTED = "admitted"


def limited_pixels(megapixels: int) -> str:
    """The output of preprocess for images of at most that many megapixels."""
    return f"{PIXELS}_{megapixels}mp"
