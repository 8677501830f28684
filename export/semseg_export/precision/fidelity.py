"""Compares a network in another precision with the same network in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from ..checks import parity
from ..errors import DisagreementError

LEAST = 0.97  # of the pixels
Images = Callable[[], Iterable[npt.NDArray[np.uint8]]]  # uint8 [N, H, W, 3], the same on every call


@dataclass(frozen=True)
class Fidelity:
    """`equal` is the share of pixels, 0 to 1, that keep their class, `worst` the lowest share of any image, `miou` the mean
    intersection over union with float32's ids as ground truth."""

    images: int
    equal: float
    worst: float
    miou: float


def measure(original: ModelProto, model: ModelProto, images: Images, cpu_model: ModelProto | None = None) -> Fidelity:
    """Compare `model` with `original`.

    `cpu_model` is `model` laid out for the CPU. Raises DisagreementError if its ids differ from those of `model`.
    """
    truth, answers = parity.answers_of(original, images()), parity.answers_of(model, images())
    if cpu_model is not None:
        parity.require_same(answers, parity.answers_of(cpu_model, images()))
    return compare(truth, answers)


def compare(truth: list[npt.NDArray[np.uint8]], answers: list[npt.NDArray[np.uint8]]) -> Fidelity:
    """Compare class ids, uint8 arrays of equal shapes."""
    counts = np.zeros((256, 256), np.int64)  # pixel counts by class in float32 (row) and in the other precision (column)
    for one, other in zip(truth, answers, strict=True):
        counts += np.bincount(one.ravel().astype(np.int64) * 256 + other.ravel(), minlength=counts.size).reshape(counts.shape)
    both, seen = counts.diagonal(), counts.sum(axis=1) > 0
    union = counts.sum(axis=0) + counts.sum(axis=1) - both
    shares = [float((one == other).mean()) for one, other in zip(truth, answers, strict=True)]
    return Fidelity(len(truth), float(both.sum() / counts.sum()), min(shares), float((both[seen] / union[seen]).mean()))


def require(fidelity: Fidelity, precision: str) -> None:
    """Raises DisagreementError if fewer pixels than LEAST keep their class."""
    if not fidelity.equal >= LEAST:
        raise DisagreementError(
            f"in {precision} only {fidelity.equal:.4%} of the pixels keep their fp32 class, less than"
            f" {LEAST:.0%}: nothing was installed. FORCE=1 (--force) installs it anyway"
        )
