"""ONNX Runtime on the CPU, for graphs that take one image tensor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

# Unless this is set before the import, ONNX Runtime sends telemetry and keeps a file for it in the temporary folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from .errors import GraphError

FAILURES = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException)


class Session:
    """Raises GraphError if ONNX Runtime cannot load or run the graph. With `threads`, it runs as it does in the server."""

    def __init__(self, model: ModelProto | Path, *, optimised: bool = True, threads: int | None = None) -> None:
        options = ort.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads, options.enable_mem_pattern = threads, False
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = (
            4  # it warns about every unused constant, and prints every error, which also becomes an exception
        )
        try:
            graph = model if isinstance(model, Path) else model.SerializeToString()
            self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except FAILURES as error:
            raise GraphError(f"ONNX Runtime cannot load the converted network: {line(error)}") from error
        entry, *lanes = self.session.get_inputs()
        self.entry, self.kind = entry.name, np.uint8 if entry.type == "tensor(uint8)" else np.float32
        self.lanes = [lane.name for lane in lanes]

    def run(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The first output."""
        return self.all(image)[0]

    def all(self, image: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Every output."""
        lanes = {name: np.zeros((len(image), 1), np.int8) for name in self.lanes}
        try:
            outputs: list[npt.NDArray[Any]] = self.session.run(None, {self.entry: image.astype(self.kind, copy=False), **lanes})
        except FAILURES as error:
            raise GraphError(f"ONNX Runtime cannot run the network on {list(image.shape)}: {line(error)}") from error
        return outputs


def line(error: Exception) -> str:
    """The error's message on one line."""
    return " ".join(str(error).split())
