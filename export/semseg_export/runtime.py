"""ONNX Runtime on the CPU, for graphs of one input and one output."""

from __future__ import annotations

import os
from typing import Any

import numpy.typing as npt
from onnx import ModelProto

# ONNX Runtime reports its use, and keeps a file for that in the temporary folder, unless told not to before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from .errors import GraphError

FAILURES = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException)


class Session:
    """Raises GraphError if ONNX Runtime cannot load or run the graph."""

    def __init__(self, model: ModelProto) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 3  # it warns of every constant that nobody uses
        try:
            self.session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except FAILURES as error:
            raise GraphError(f"ONNX Runtime cannot load the converted network: {_line(error)}") from error
        self.entry = self.session.get_inputs()[0].name

    def run(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            result: npt.NDArray[Any] = self.session.run(None, {self.entry: image})[0]
        except FAILURES as error:
            raise GraphError(f"ONNX Runtime cannot run the network on {list(image.shape)}: {_line(error)}") from error
        return result


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
