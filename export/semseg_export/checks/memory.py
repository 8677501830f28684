"""The memory that a network takes, and the largest image that a budget allows.

Measurements up to two megapixels are extrapolated to larger images. Attention over all pairs of pixels is measured separately:
its matrix grows with the square of the pixel count, but other layers use more memory until the image is large.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from semseg_contract.limits import MEGAPIXEL, SIZES
from semseg_contract.names import ANY_DEVICE, TAIL
from semseg_contract.record import Memory
from semseg_contract.transforms import PLAIN, Preparation

from ..errors import MemoryBudgetError
from ..paddle_process import run_module


def measure(network: bytes, workspace: Path, preparation: Preparation = PLAIN) -> Memory:
    """Measure, in a separate process, the most memory that `network`, the serialised served graph, can take.

    Raises ConversionError.
    """
    from onnx import ModelProto  # here, because `limit` must also work without onnx

    from ..conversion.sparse_argmax import at_worst

    model, found = workspace / "model.onnx", workspace / "memory.json"
    model.write_bytes(at_worst(ModelProto.FromString(network)).SerializeToString())
    run_module("semseg_export.workers.memory_probe", [model, found, *_fixed(preparation)], "running the network on ONNX Runtime")
    return Memory(**json.loads(found.read_text()))


def measure_parts(files: Mapping[str, bytes], engine: str, workspace: Path, preparation: Preparation = PLAIN) -> Memory:
    """The same for a network whose core runs on `engine`, with these `files` in its version's folder. Raises ConversionError."""
    from onnx import ModelProto

    from ..conversion.sparse_argmax import at_worst

    place, found = workspace / "parts", workspace / "memory.json"
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    (place / TAIL).write_bytes(at_worst(ModelProto.FromString(files[TAIL])).SerializeToString())
    run_module(
        "semseg_export.workers.memory_probe",
        [place / ANY_DEVICE, found, f"--engine={engine}", *_fixed(preparation)],
        f"running the network on {engine}",
    )
    return Memory(**json.loads(found.read_text()))


def larger(one: Memory, other: Memory) -> Memory:
    """The larger peak of the two at each size."""
    peaks = [[size, max(first, second)] for (size, first), (_, second) in zip(one.peaks, other.peaks, strict=True)]
    return Memory(peaks, max(one.square, other.square))


def _fixed(preparation: Preparation) -> list[str]:
    return [f"{preparation.fixed[1]}x{preparation.fixed[0]}"] if preparation.fixed else []


TINY = ((32, 32), (64, 32), (32, 64))  # images that only the network's own transforms make large


def limit(memory: Memory, budget: float, preparation: Preparation = PLAIN) -> int:
    """The largest of SIZES, in megapixels, for which `budget` bytes are enough.

    Raises MemoryBudgetError if none fits, or if the network's own `preparation` makes larger images of small ones.
    """
    fitting = [each for each in SIZES if memory.at(each) <= budget]
    if not fitting:
        raise MemoryBudgetError(
            f"the network takes {memory.at(1) / 1e9:.1f} GB for an image of one megapixel, more than the {budget / 1e9:g} GB"
            " allowed: allow more with MEMORY= (--memory)"
        )
    most = max(width * height for width, height in preparation.made_of(TINY))
    if most > fitting[-1] * MEGAPIXEL:
        raise MemoryBudgetError(
            f"the network's own transforms make images of up to {most / MEGAPIXEL:.1f} megapixels, but"
            f" {budget / 1e9:g} GB are enough for {fitting[-1]}: allow more with MEMORY= (--memory)"
        )
    return fitting[-1]
