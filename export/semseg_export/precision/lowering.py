"""Converts a network to a lower precision than float32, and measures it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from onnx import ModelProto

from ..conversion.cpu_layout import laid_out
from ..images import Images, Pixels, Prepare
from ..progress import Step
from ..synthetic_images import Shape, smooth_pixels
from .fidelity import Fidelity, measure
from .fp16 import halved
from .int8 import quantised


@dataclass(frozen=True)
class Lowered:
    """A network in lower precision, its fidelity, and what it was calibrated with. int8 also has a version for the CPU."""

    model: ModelProto
    cpu_model: ModelProto | None
    fidelity: Fidelity
    calibration: dict[str, str | int] | None = None


def to_half(served: ModelProto, shapes: Sequence[Shape]) -> Lowered:
    """The network in float16, compared on random images of these shapes: on the CPU, slowly, because there may be no GPU."""
    model = halved(served)
    return Lowered(model, None, measure(served, model, lambda: (smooth_pixels(*each) for each in enumerate(shapes))))


def to_int8(served: ModelProto, images: tuple[Images, Images], prepare: Prepare, workspace: Path, step: Step) -> Lowered:
    """The network in int8, quantised with the first `images` and compared on the others.

    Raises ImagesError, GraphError, and DisagreementError if its CPU layout gives other ids.
    """
    calibrated, compared = images
    model = quantised(served, _counted(calibrated, prepare, step), workspace)
    step.show(f"Comparing with fp32 on {len(compared.files)} images")
    cpu_model = laid_out(model)
    provenance: dict[str, str | int] = {"folder": calibrated.folder.resolve().name, "images": len(calibrated.files)}
    fidelity = measure(served, model, partial(compared.read, prepare), cpu_model)
    return Lowered(model, cpu_model, fidelity, provenance)


def _counted(images: Images, prepare: Prepare, step: Step) -> Iterator[Pixels]:
    meter = step.meter("Calibrating")
    for done, pixels in enumerate(images.read(prepare)):
        meter.update(done, len(images.files))
        yield pixels
