"""Converts a served graph to int8: ONNX Runtime's static quantisation of convolutions and of matrix products with weights.

Operators that only move values are quantised too; otherwise each would need a cast to float32 and back. All other operators,
including the upsampling and the argmax, stay as they are. If all channels are normalised alike, the uint8 pixels themselves
serve as the quantised input, and the normalisation disappears.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from semseg_contract.tensors import IDS, LANE, PIXELS

from ..conversion.graph import HEAD, needed
from ..errors import GraphError
from ..images import Pixels
from ..runtime import FAILURES, line

# Relu becomes part of its input's range and vanishes.
OPERATORS = ("Conv", "Gemm", "MatMul", "Relu", "Concat", "MaxPool")


@dataclass(frozen=True)
class Grid:
    """The float32 `tensor` equals `(pixels - zero_point) * scale` of the uint8 tensor `pixels`, to within half a grey level."""

    tensor: str
    pixels: str
    scale: float
    zero_point: int


def quantised(served: ModelProto, images: Iterable[Pixels], workspace: Path) -> ModelProto:
    """`served` with int8 weights, one scale per channel, and uint8 tensors whose ranges are measured on `images`.

    Raises GraphError if ONNX Runtime fails on the network; errors of `images` pass through.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inputs = ({PIXELS: pixels, LANE: np.zeros((1, 1), np.int8)} for pixels in images)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.inputs, None)

    grid = _grid(served)
    original, result = workspace / "original.onnx", workspace / "quantised.onnx"
    onnx.save(served, original)
    try:
        with _silence():
            quantize_static(
                original,
                result,
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True, "TensorQuantOverrides": _overrides(grid)},
            )
    except FAILURES as error:
        raise GraphError(f"ONNX Runtime cannot run the network on the calibration images: {line(error)}") from error
    model = onnx.load(result)
    if grid is not None:
        _take_pixels(model, grid)
    return model


def _grid(served: ModelProto) -> Grid | None:
    """The grid of the normalised pixels; None if channels are normalised differently, or 0 is outside their range."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in served.graph.initializer}
    steps = {node.name.removeprefix(HEAD): node for node in served.graph.node if node.name.startswith(HEAD)}
    if "floats" not in steps:
        return None
    last = steps["floats"]
    values = {"scaled": np.ones(1, np.float32), "shifted": np.zeros(1, np.float32)}
    for name in values:
        if name in steps:  # the graph omits steps that change nothing
            last = steps[name]
            values[name] = np.unique(constants[last.input[1]])
    alpha, beta = values["scaled"], values["shifted"]
    if alpha.size > 1 or beta.size > 1 or not alpha[0] > 0:
        return None
    zero = round(float(-beta[0] / alpha[0]))
    return Grid(last.output[0], steps["floats"].input[0], float(alpha[0]), zero) if 0 <= zero <= 255 else None


def _overrides(grid: Grid | None) -> dict[str, Any]:
    if grid is None:
        return {}
    return {grid.tensor: [{"scale": np.array(grid.scale, np.float32), "zero_point": np.array(grid.zero_point, np.uint8)}]}


def _take_pixels(model: ModelProto, grid: Grid) -> None:
    """Use the pixels instead of the quantised normalised ones. If the network begins in float32, the normalisation stays."""
    made = {node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == grid.tensor}
    for node in model.graph.node:
        node.input[:] = [grid.pixels if name in made else name for name in node.input]
    kept = needed(model, IDS)
    read = {name for node in kept for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(constants)


@contextmanager
def _silence() -> Iterator[None]:
    """Mute ONNX Runtime's advice to run its clean-up first: the graph is already cleaned up."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
