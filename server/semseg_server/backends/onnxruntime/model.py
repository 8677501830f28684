"""Triton's `onnxruntime` backend as a Python-based backend: what Triton loads."""

from __future__ import annotations

from onnx_network import OnnxNetwork as TritonPythonModel

__all__ = ["TritonPythonModel"]
