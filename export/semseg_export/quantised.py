"""A served graph in int8: ONNX Runtime's static quantisation of the convolutions and of the products with weights.

And of what only hands their numbers on, which would be turned to float32 and back for it. What else lies between is left as
it is, and so are normalisation, upsampling and argmax.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from .calibration import Pixels
from .errors import GraphError
from .graph import LANE, PIXELS
from .runtime import FAILURES, line

OPERATORS = ("Conv", "Gemm", "MatMul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool")


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
                extra_options={"MatMulConstBOnly": True},
            )
    except FAILURES as error:
        raise GraphError(f"ONNX Runtime cannot run the network on the images that it is quantised by: {line(error)}") from error
    return onnx.load(result)


@contextmanager
def _silence() -> Iterator[None]:
    """Without the advice that ONNX Runtime logs to run its own clean-up first: the graph has been through one."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
