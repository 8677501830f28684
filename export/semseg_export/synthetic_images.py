"""Seeded images for comparing networks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Shape = tuple[int, int, int]  # batch, height, width


def smooth_pixels(seed: int, shape: Shape) -> npt.NDArray[np.uint8]:
    """Random RGB images uint8 [N, H, W, 3]: soft patches of three sizes and a little noise, somewhat like photographs."""
    batch, height, width = shape
    random = np.random.default_rng(seed)
    images = np.zeros((batch, height, width, 3), np.float32)
    for image in images:
        for cells in (3, 8, 24):
            patches = random.normal(0, 50, (cells, 2 * cells, 3)).astype(np.float32)
            image += cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
        image += random.normal(127, 4, image.shape)
    return images.clip(0, 255).astype(np.uint8)
