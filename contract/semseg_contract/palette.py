"""PaddleX's colours for class ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]  # red, green, blue; 0 to 255


def palette(count: int) -> tuple[Colour, ...]:
    """The colours of the first `count` class ids."""
    return tuple((red, green, blue) for red, green, blue in colour_table()[:count].tolist())


def colour_table(own: Sequence[Colour] = ()) -> npt.NDArray[np.uint8]:
    """A colour for every id that a label map can hold, uint8 [256, 3] RGB, starting with `own`.

    PaddleX uses the colours of PASCAL VOC without the first, which is black. Bit 3 j + c of a colour's number is bit 7 - j of
    its channel c.
    """
    number = np.arange(1, 257)
    table = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            table[:, channel] |= ((number >> (3 * bit + channel) & 1) << (7 - bit)).astype(np.uint8)
    table[: len(own)] = np.reshape(own, (-1, 3))
    return table
