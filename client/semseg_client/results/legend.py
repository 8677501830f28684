"""The classes in a label map, and their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semseg_contract.palette import Colour, colour_table

from ..types import Segmentation


@dataclass(frozen=True)
class ClassShare:
    """A class that is present: its colour (red, green, blue; 0 to 255), its number of pixels and their share, 0 to 1."""

    id: int
    name: str
    colour: Colour
    pixels: int
    share: float

    @property
    def hex(self) -> str:
        """The colour in CSS notation: #rrggbb."""
        return hex_colour(self.colour)


def hex_colour(colour: Colour) -> str:
    """The colour in CSS notation: #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def legend(segmentation: Segmentation) -> tuple[ClassShare, ...]:
    """The classes that are present, largest first; classes of equal size are ordered by id."""
    counts = np.bincount(segmentation.label_map.ravel())
    table = colour_table(segmentation.palette)
    shares = []
    for label in sorted(np.flatnonzero(counts).tolist(), key=lambda label: -counts[label]):
        red, green, blue = table[label].tolist()
        pixels = int(counts[label])
        shares.append(
            ClassShare(label, segmentation.class_name(label), (red, green, blue), pixels, pixels / segmentation.label_map.size)
        )
    return tuple(shares)
