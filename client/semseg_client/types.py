"""A model's description, and the segmentation of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from semseg_contract.palette import Colour


@dataclass(frozen=True)
class Model:
    """One served model, as the parameters of its ensemble describe it. Anything that the exporter did not write is None.

    `class_names` and `palette` (red, green, blue) are indexed by class id. `max_pixels` is the size of the largest image that
    is accepted without a target size. `agreement` is the smallest share of pixels, 0 to 1, on which the exported network agreed
    with Paddle. `target_size` (width, height) is that of the network's own Resize. `concurrency` is the number of large images
    that keep the network busy; more would only wait. It is None if the model's owner has set a policy for the network's queue.
    """

    name: str
    version: str
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    max_pixels: int | None = None
    source: str | None = None
    source_sha256: str | None = None
    converter: str | None = None
    exported_at: str | None = None
    agreement: float | None = None
    target_size: tuple[int, int] | None = None
    concurrency: int | None = None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The class of every pixel of one image.

    `label_map` is uint8 [H, W], read-only, of the image's own size. `picture` is a JPEG of the label map in the model's
    palette, or None if it was not requested. `version` is the model version that answered, as Triton numbers it.
    """

    label_map: npt.NDArray[np.uint8]
    picture: bytes | None
    model: str
    class_names: tuple[str, ...]
    palette: tuple[Colour, ...]
    version: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.label_map.shape
        return height, width

    def shares(self) -> dict[str, float]:
        """Each present class's share of the pixels, 0 to 1, largest first."""
        counts = np.bincount(self.label_map.ravel())
        present = sorted(np.flatnonzero(counts), key=lambda label: -counts[label])
        return {self.class_name(int(label)): float(counts[label] / self.label_map.size) for label in present}

    def class_name(self, label: int) -> str:
        """The name of a class id; "class 7" if the model has no name for it."""
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"


@dataclass(frozen=True)
class Drawing:
    """Only the picture of a segmentation: a JPEG of the image's own size. `version` is as in `Segmentation`."""

    picture: bytes
    model: str
    version: str


@dataclass(frozen=True)
class NameOrFolder:
    """A model that a file of PaddleX 3.0.0b2 names, where there is a folder of the same name: that key may hold either."""

    name: str
    folder: Path
