"""Paddle to ONNX: runs the converter in a child process, then checks for its known mistakes. Takes ONNX files, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx.compose
from google.protobuf.message import DecodeError
from onnx import ModelProto, NodeProto, helper, version_converter

from semseg_contract.paddle_files import ONNX
from semseg_contract.tensors import IDS, LANE, PIXELS

from ..errors import ConversionError, printable
from ..paddle_process import run_module
from ..weights.archive import Archive
from . import branches, pools
from .scores import constant, makers

OPSET = 17
NEUTRAL = {"Mul": 1, "Add": 0}
OURS = {PIXELS, LANE, IDS}  # tensors that the export adds
LEAST_OPSET = 13  # the nodes that the export adds are written as of then
HALF_PIXEL_OPSET = 11  # before it, a Resize had only one rule for positions
LEAST_IR_VERSION = 4  # before it, constants had to be inputs, too
IR_VERSION = 10  # the newest that the ONNX Runtime in the Triton of 2024 reads


def to_onnx(archive: Archive, workspace: Path) -> ModelProto:
    """The network as ONNX: float32 [N, 3, H, W] in, batch, height and width dynamic unless they are fixed in the archive.

    Raises ConversionError.
    """
    if archive.program.suffix == ONNX:
        return _loaded(archive)
    doing = f"converting {archive.program.name} with Paddle2ONNX"
    run_module("semseg_export.workers.converter", [archive.program, archive.parameters, workspace], doing)
    written = workspace / "network.onnx"
    if not written.is_file():
        raise ConversionError(f"{doing} wrote no ONNX file")
    model = _ours(onnx.load(written))
    pools.restore(model)
    _check(model, archive)
    _skip_unit_scales(model)
    branches.fold(model)
    return model


def _ours(model: ModelProto) -> ModelProto:
    """The model, whose tensors have other names than those that the export adds."""
    return onnx.compose.add_prefix(model, "network/") if OURS.intersection(_names(model)) else model


def _skip_unit_scales(model: ModelProto) -> None:
    """Paddle 2 saved a network with `x * 1 + 0` behind each output. Leave that out, so that it hides no argmax or softmax."""
    made_by = makers(model)
    for node in model.graph.node:
        values = constant(model, made_by, node.input[1]) if node.op_type in NEUTRAL else None
        if values is not None and values.shape in ((), (1,)) and values == NEUTRAL[node.op_type]:
            node.op_type = "Identity"
            del node.input[1:]


def _loaded(archive: Archive) -> ModelProto:
    """A network that is ONNX already, in a version that the graph work and Triton's ONNX Runtime can read."""
    file = archive.program
    try:
        model = onnx.load(file)
    except (DecodeError, OSError, onnx.checker.ValidationError) as error:
        raise ConversionError(
            f"{file.name} is no complete ONNX file ({printable(str(error))}): convert the network again"
        ) from error
    model.ir_version = min(max(model.ir_version, LEAST_IR_VERSION), IR_VERSION)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    _check(model, archive)
    model = _ours(model)
    branches.fold(model)
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    if version < LEAST_OPSET:
        try:
            model = version_converter.convert_version(model, OPSET)
        except (RuntimeError, ValueError) as error:
            raise ConversionError(
                f"{file.name} has opset {version}, which cannot be raised to {OPSET} ({printable(str(error))}): convert it again"
            ) from error
        if version < HALF_PIXEL_OPSET:
            _keep_positions(model)
    return model


def _keep_positions(model: ModelProto) -> None:
    """Resizes as they were before opset 11. The version converter gives them the newer default instead."""
    for node in model.graph.node:
        if node.op_type == "Resize" and not any(each.name == "coordinate_transformation_mode" for each in node.attribute):
            node.attribute.append(helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
            node.attribute.append(helper.make_attribute("nearest_mode", "floor"))


def _names(model: ModelProto) -> Iterator[str]:
    """The names of all tensors."""
    for node in model.graph.node:
        yield from (*node.input, *node.output)


def _check(model: ModelProto, archive: Archive) -> None:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        if archive.program.suffix == ONNX:
            raise ConversionError(
                f"{archive.program.name} holds an invalid graph: convert the network again", str(error)
            ) from error
        reason = f"perhaps because {archive.parameters.name} is cut off or belongs to another network"
        raise ConversionError(f"Paddle2ONNX wrote an invalid graph, {reason}", str(error)) from error
    if not model.graph.input:
        raise ConversionError(f"{archive.program.name} takes no image: convert the network again")
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
