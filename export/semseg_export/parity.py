"""The gate: the finished graph on ONNX Runtime against Paddle's own inference, on the same pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from rich.table import Table

from .archive import Archive
from .child import run_module
from .errors import DisagreementError
from .runtime import Session

# batch, height, width. After five halvings the 4 bins of PP-LiteSeg's pool divide 8x16 evenly, 11x14 and 10x13 not.
Shape = tuple[int, int, int]
SHAPES: tuple[Shape, ...] = ((1, 256, 512), (1, 333, 417), (1, 320, 416), (2, 256, 512))


@dataclass(frozen=True)
class Agreement:
    """How many of the pixels of one batch got the same class from both. `classes` counts those that Paddle saw."""

    batch: int
    height: int
    width: int
    differing: int
    classes: int

    @property
    def share(self) -> float:
        """Equal pixels, 0 to 1."""
        return 1 - self.differing / (self.batch * self.height * self.width)


def measure(model: ModelProto, archive: Archive, workspace: Path, shapes: tuple[Shape, ...] = SHAPES) -> list[Agreement]:
    """Compare `model` with Paddle on smooth random images of every one of `shapes`. Raises ConversionError."""
    files = [workspace / f"pixels_{index}.npy" for index in range(len(shapes))]
    for seed, (file, shape) in enumerate(zip(files, shapes, strict=True)):
        np.save(file, smooth_pixels(seed, shape))
    answers = workspace / "answers"
    run_module(
        "semseg_export.reference",
        [archive.program.parent, *files, "--out", answers],
        f"running {archive.program.name} with Paddle",
    )
    session = Session(model)
    return [_compare(session, np.load(file), np.load(answers / file.name)) for file in files]


def _compare(session: Session, pixels: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8]) -> Agreement:
    batch, height, width = expected.shape
    differing = int((session.run(pixels) != expected).sum())
    return Agreement(batch, height, width, differing, len(np.unique(expected)))


def lowest(agreements: list[Agreement]) -> float:
    return min(agreement.share for agreement in agreements)


def require(agreements: list[Agreement], threshold: float) -> None:
    """Raises DisagreementError if any batch has fewer equal pixels than `threshold`, 0 to 1."""
    if lowest(agreements) < threshold:
        raise DisagreementError(
            f"the exported network agrees with Paddle on {lowest(agreements):.4%} of the pixels only, less than"
            f" {threshold:.4%}: nothing was installed. --threshold lowers the bar, if that is good enough for you"
        )


def table(agreements: list[Agreement]) -> Table:
    rows = Table("size", "batch", "classes seen", "differing pixels", "equal", title="Agreement with Paddle")
    for a in agreements:
        rows.add_row(f"{a.width}x{a.height}", str(a.batch), str(a.classes), str(a.differing), f"{a.share:.4%}")
    return rows


def smooth_pixels(seed: int, shape: Shape) -> npt.NDArray[np.uint8]:
    """Random RGB images uint8 [N, H, W, 3]: soft patches of three sizes and a little noise, not unlike photographs."""
    batch, height, width = shape
    random = np.random.default_rng(seed)
    images = np.zeros((batch, height, width, 3), np.float32)
    for image in images:
        for cells in (3, 8, 24):
            patches = random.normal(0, 50, (cells, 2 * cells, 3)).astype(np.float32)
            image += cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
        image += random.normal(127, 4, image.shape)
    return images.clip(0, 255).astype(np.uint8)
