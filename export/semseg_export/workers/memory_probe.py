"""Measures the memory that a served graph takes, by running it on ever larger images as a server would.

    python -m semseg_export.workers.memory_probe MODEL.onnx OUT.json [--engine=ENGINE] [HEIGHTxWIDTH]

writes the fields of `Memory`. An engine other than ONNX Runtime has its files beside the model. HEIGHTxWIDTH is the only size
that the network takes, if there is only one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from semseg_contract.cores import cores
from semseg_contract.limits import MEGAPIXEL
from semseg_contract.record import Memory

from ..parts import Parts
from ..runtime import Session

SIZES = ((512, 1024), (1024, 1024), (1024, 2048))  # height, width of the images
PROBES = ((128, 256), (256, 256))  # two small sizes, to find tensors that grow with the square of the pixel count


def measured(network: Path, fixed: tuple[int, int] | None = None, engine: str | None = None) -> Memory:
    # From the file, as in a server, with nothing else in memory.
    session = Session(network) if engine is None else Parts(network.parent, engine, cores())
    random = np.random.default_rng(0)
    peaks = []
    for height, width in [fixed] if fixed else SIZES:
        session.run(random.integers(0, 256, (1, height, width, 3), np.uint8))
        peaks.append([height * width / MEGAPIXEL, _peak()])
    del session
    if fixed:
        return Memory(peaks, 0.0)
    return Memory(peaks, _square_growth(onnx.load(network)))


def _square_growth(model: ModelProto) -> float:
    """Bytes per squared megapixel of the largest attention matrix: a softmax output that grows with the pixels' square."""
    probe = ModelProto()
    probe.CopyFrom(model)
    names = [node.output[0] for node in model.graph.node if node.op_type == "Softmax"]
    if not names:
        return 0.0
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = Session(probe)
    smaller, larger = ([answer.nbytes for answer in session.all(np.zeros((1, *size, 3), np.uint8))] for size in PROBES)
    pixels = PROBES[0][0] * PROBES[0][1] / MEGAPIXEL
    ratio = (PROBES[1][0] * PROBES[1][1]) / (PROBES[0][0] * PROBES[0][1])
    return max((few / pixels**2 for few, many in zip(smaller, larger, strict=True) if many >= 0.9 * ratio**2 * few), default=0.0)


def _peak() -> int:
    """The peak memory of this process in bytes (proc(5), VmHWM)."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("network", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("fixed", nargs="?")
    parser.add_argument("--engine")
    asked = parser.parse_args()
    height, width = map(int, asked.fixed.split("x")) if asked.fixed else (0, 0)
    asked.file.write_text(json.dumps(asdict(measured(asked.network, (height, width) if asked.fixed else None, asked.engine))))


if __name__ == "__main__":
    main()
