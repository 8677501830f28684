"""A served graph in int8: ONNX Runtime's static quantisation of the convolutions and of the products with weights.

And of what only hands their numbers on, which would be turned to float32 and back for it. What else lies between is left as
it is, and so are upsampling and argmax. Normalised pixels are quantised by the pixels themselves where all channels are
normalised alike: nothing is left of the normalisation then.
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
from ..runtime import FAILURES, line
from .calibration import Pixels

# Relu is in the range of what it is made of, and vanishes.
OPERATORS = ("Conv", "Gemm", "MatMul", "Relu", "Concat", "MaxPool")


@dataclass(frozen=True)
class Grid:
    """`tensor`, float32, is `(pixels - zero_point) * scale` of the uint8 tensor `pixels`, but for half a grey level at most."""

    tensor: str
    pixels: str
    scale: float
    zero_point: int


def quantised(served: ModelProto, images: Iterable[Pixels], workspace: Path) -> ModelProto:
    """`served` with the weights int8, one scale a channel, and the tensors between uint8, ranging as they do on `images`.

    Raises GraphError if ONNX Runtime fails on the network, and what `images` raises.
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
        raise GraphError(f"ONNX Runtime cannot run the network on the images that it is quantised by: {line(error)}") from error
    model = onnx.load(result)
    if grid is not None:
        _take_pixels(model, grid)
    return model


def _grid(served: ModelProto) -> Grid | None:
    """Of the normalised pixels; None if the channels are normalised differently, or black and white have the same sign."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in served.graph.initializer}
    steps = {node.name.removeprefix(HEAD): node for node in served.graph.node if node.name.startswith(HEAD)}
    if "floats" not in steps:
        return None
    last = steps["floats"]
    values = {"scaled": np.ones(1, np.float32), "shifted": np.zeros(1, np.float32)}
    for name in values:
        if name in steps:  # a step that changes nothing was left out of the graph
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
    """Read the pixels where normalised ones were quantised, if they were: a network may begin with what is left in float32."""
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
    """Without the advice that ONNX Runtime logs to run its own clean-up first: the graph has been through one."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
