"""Paddle to ONNX: runs the converter in a child process, then checks for its known mistakes."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto

from ..errors import ConversionError
from ..paddle_process import run_module
from ..weights.archive import Archive
from . import branches, pools


def to_onnx(archive: Archive, workspace: Path) -> ModelProto:
    """The network as ONNX: float32 [N, 3, H, W] in, with the dynamic axes of Paddle's program. Raises ConversionError."""
    doing = f"converting {archive.program.name} with Paddle2ONNX"
    run_module("semseg_export.workers.converter", [archive.program, archive.parameters, workspace], doing)
    written = workspace / "network.onnx"
    if not written.is_file():
        raise ConversionError(f"{doing} wrote no ONNX file")
    model = onnx.load(written)
    pools.restore(model)
    branches.fold(model)
    _check(model, archive)
    return model


def _check(model: ModelProto, archive: Archive) -> None:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = f"perhaps because {archive.parameters.name} is cut off or belongs to another network"
        raise ConversionError(f"Paddle2ONNX wrote an invalid graph, {reason}", str(error)) from error
    for node in model.graph.node:
        check_node(node)


def check_node(node: NodeProto) -> None:
    """Raises ConversionError if the operator is not standard ONNX, or Paddle2ONNX garbled its epsilon."""
    if node.domain not in ("", "ai.onnx"):
        raise ConversionError(f"the network needs {node.domain}.{node.op_type}, which is not a standard ONNX operator")
    for attribute in node.attribute:
        # Paddle2ONNX misreads a float that Paddle stored as a double (its issue 1646).
        if attribute.name == "epsilon" and not 1e-8 < attribute.f < 1e-2:
            raise ConversionError(
                f"{node.op_type} {node.name} has epsilon {attribute.f:g}, misread by Paddle2ONNX:"
                " save the network again with Paddle 3.0 to 3.2"
            )
