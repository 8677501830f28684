"""A network in another number format than float32, made and measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from onnx import ModelProto
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from ..checks.parity import SHAPES
from ..conversion.cpu_layout import laid_out
from ..synthetic_images import smooth_pixels
from ..weights.download import Show
from .calibration import Images, Prepare
from .fidelity import Fidelity, measure
from .fp16 import halved
from .int8 import quantised


@dataclass(frozen=True)
class Lowered:
    """A network in less than float32, laid out for the CPU too if it is for one; its answers, and what it was calibrated by."""

    model: ModelProto
    twin: ModelProto | None
    fidelity: Fidelity
    calibration: dict[str, str | int] | None = None


def to_half(served: ModelProto) -> Lowered:
    """In float16, compared on random images with ONNX Runtime's CPU provider, slowly: there may be no GPU here."""
    model = halved(served)
    return Lowered(model, None, measure(served, model, lambda: (smooth_pixels(*each) for each in enumerate(SHAPES))))


def to_int8(served: ModelProto, images: tuple[Images, Images], prepare: Prepare, workspace: Path, show: Show) -> Lowered:
    """In int8, quantised by the first `images` and compared on the others.

    Raises CalibrationError, GraphError, and DisagreementError if it answers otherwise when it is laid out for the CPU.
    """
    calibrated, compared = images
    progress = Progress("Calibrating", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    show(progress)
    model = quantised(served, progress.track(calibrated.read(prepare), total=len(calibrated.files)), workspace)
    show(f"Comparing with fp32 on {len(compared.files)} images")
    twin = laid_out(model)
    provenance: dict[str, str | int] = {"folder": calibrated.folder.resolve().name, "images": len(calibrated.files)}
    return Lowered(model, twin, measure(served, model, partial(compared.read, prepare), twin), provenance)
