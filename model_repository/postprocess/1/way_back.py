"""Leads class ids back to the image's size. `postprocess` and `draw` each have a copy of this file; a test keeps them equal."""

from __future__ import annotations

import os

import cv2
import numpy as np
import triton_python_backend_utils as pb
from numpy.typing import NDArray

MOST_PIXELS = int(os.environ.get("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970"))  # per request; PaddleX's limit
MOST_SIDES = 64  # heights and widths in source_size
Size = tuple[int, int]  # height, width


class BadRequest(ValueError):
    """An error that the caller can fix; the message starts with the field's name."""


def sized(request: pb.InferenceRequest) -> tuple[NDArray[np.uint8], list[Size]]:
    """Class ids, uint8 [N, H, W], and the heights and widths that lead them back to the image's size. Raises BadRequest."""
    ids = pb.get_input_tensor_by_name(request, "ids").as_numpy()
    sides = pb.get_input_tensor_by_name(request, "source_size").as_numpy()
    if not ids.size or ids.ndim != 3:
        raise BadRequest(f"ids: must be [N, H, W] with at least one pixel, not {list(ids.shape)}")
    if sides.ndim != 2 or len(sides) != len(ids) or not 2 <= sides.shape[1] <= MOST_SIDES or sides.shape[1] % 2:
        raise BadRequest("source_size: must be pairs of height and width for each of the ids")
    if (sides != sides[0]).any():
        raise BadRequest("source_size: must be the same for all ids of the request")
    back = [(height, width) for height, width in sides[0].reshape(-1, 2).tolist()]
    rows, columns = ids.shape[1:]
    for height, width in back:
        if not height * width > 0 or len(ids) * height * width > MOST_PIXELS:
            raise BadRequest(f"source_size: {len(ids)} maps of {width}x{height} must have from 1 to {MOST_PIXELS} pixels")
        if height < 0 and (-height > rows or -width > columns):
            raise BadRequest(f"source_size: {-width}x{-height} cannot be cut out of {columns}x{rows}")
        rows, columns = abs(height), abs(width)
    return ids, back


def led_back(ids: NDArray[np.uint8], back: list[Size]) -> NDArray[np.uint8]:
    """Scale `ids`, [H, W], by nearest neighbour to each height and width in turn, or cut them out if these are negative."""
    for height, width in back:
        if height < 0:
            ids = ids[:-height, :-width]
        elif ids.shape != (height, width):
            ids = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    return ids
