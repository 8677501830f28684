"""The memory that a network takes on ONNX Runtime, and the largest image that a budget admits.

What is known at two megapixels is carried on to larger images. Attention over all pairs of pixels needs a closer look: its
matrix grows with the square of the pixels, but stays hidden behind other layers until the image is large.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .child import run_module
from .errors import MemoryBudgetError
from .resize import Resize

MEGAPIXEL = 2**20
# Megapixels: the shared preprocess has an output for each of these limits, as docs/contract.md tells.
LIMITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True)
class Memory:
    """`peaks` are pairs of megapixels (2^20 pixels) and the most bytes that the process had taken after an image of that
    size, growing; `square` is what a squared megapixel adds to that of a larger image, in bytes."""

    peaks: list[list[float]]
    square: float

    @property
    def slope(self) -> float:
        """Bytes a megapixel, where they grow fastest."""
        return max((above - below) / (b - a) for (a, below), (b, above) in pairwise(self.peaks))

    def at(self, megapixels: float) -> float:
        """Bytes that one image takes at most."""
        for measured, peak in self.peaks:
            if megapixels <= measured:
                return peak
        return peak + self.slope * (megapixels - measured) + self.square * (megapixels**2 - measured**2)


def measure(network: bytes, workspace: Path) -> Memory:
    """Run `network`, a served graph in ONNX's format, in a process of its own, on what it takes the most for.

    Raises ConversionError.
    """
    from onnx import ModelProto  # and its tools, which who only asks for the limits has not

    from .sparse import at_worst

    model, found = workspace / "model.onnx", workspace / "memory.json"
    model.write_bytes(at_worst(ModelProto.FromString(network)).SerializeToString())
    run_module("semseg_export.peaks", [model, found], "running the network on ONNX Runtime")
    return Memory(**json.loads(found.read_text()))


def limit(memory: Memory, budget: float, resize: Resize | None = None) -> int:
    """The largest of LIMITS, in megapixels, that `budget` bytes are enough for.

    Raises MemoryBudgetError if that is none, or if the network's own `resize` makes larger images.
    """
    fitting = [each for each in LIMITS if memory.at(each) <= budget]
    if not fitting:
        raise MemoryBudgetError(
            f"the network takes {memory.at(1) / 1e9:.1f} GB for an image of one megapixel, more than the {budget / 1e9:g} GB"
            " that it may: give it more by MEMORY= (--memory)"
        )
    if resize is not None and resize.most_pixels > fitting[-1] * MEGAPIXEL:
        raise MemoryBudgetError(
            f"the network's own Resize makes images of up to {resize.most_pixels / MEGAPIXEL:.1f} megapixels, and"
            f" {budget / 1e9:g} GB are enough for {fitting[-1]}: give it more by MEMORY= (--memory)"
        )
    return fitting[-1]
