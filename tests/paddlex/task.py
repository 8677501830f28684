"""The fine-tuning task: the scenes' classes merged into five, after a Resize and with ImageNet's statistics."""

from __future__ import annotations

import numpy as np

from demo.canvas import CLASSES as SCENE_CLASSES
from demo.canvas import Image

NETWORK = "PP-LiteSeg-T"
MERGED = {
    "carriageway": ("road",),
    "footway": ("sidewalk", "terrain"),
    "built": ("building", "wall", "fence", "pole", "traffic light", "traffic sign"),
    "sky and leaves": ("sky", "vegetation"),
    "moving": ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
}
CLASSES = tuple(MERGED)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet: red, green, blue, 0 to 1
DESCRIPTION = f"""\
Deploy:
  transforms:
  - type: Resize
    target_size: [512, 512]
  - type: Normalize
    mean: {MEAN}
    std: {STD}
Global:
  model_name: {NETWORK}
"""

_MERGED_IDS = np.array([next(k for k, names in enumerate(MERGED.values()) if name in names) for name in SCENE_CLASSES], np.uint8)


def merged(labels: Image) -> Image:
    """Maps the scenes' train ids to ids of CLASSES, uint8 [H, W]."""
    return _MERGED_IDS[labels]
