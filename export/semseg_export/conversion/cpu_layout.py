"""Lays out the last upsampling and the argmax of the served graph for the CPU, with each pixel's classes adjacent in memory.

ONNX Runtime's argmax over [N, C, H, W] reads the logits of a pixel from C distant places; with 150 classes, that takes most of
SeaFormer's time. Here the logits are transposed while they are still small, then upsampled as [N, H, W, C]. Each logit is
computed by the same operations, so the ids are bit-identical. If the upsampling is by a power of two, most of it is also skipped
(sparse_argmax.py).

Not for a GPU: the Resize of ONNX Runtime's CUDA provider always interpolates the last two axes
(onnxruntime/core/providers/cuda/tensor/resize_impl.cu), which here are width and classes.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from semseg_contract.tensors import IDS

from ..errors import GraphError
from ..runtime import Session
from .branches import reads
from .graph import DECISION
from .scores import PROBE, makers
from .sparse_argmax import FACTORS, SIZES, SMALL
from .sparse_argmax import decision as sparse_decision

TURNED = "decide/turned"  # the logits before they are upsampled, [N, h, w, C]
LAST = (0, 2, 3, 1)  # [N, C, H, W] to [N, H, W, C]
NEWEST_OPSET = 17  # the nodes here and in sparse_argmax.py have attributes that later became inputs
SIZES_INPUT = 3  # index of the sizes among a Resize's inputs


def laid_out(served: ModelProto) -> ModelProto | None:
    """`served` laid out for the CPU; None if it does not end in a linear Resize of the logits, or its opset is too new."""
    if max(each.version for each in served.opset_import if each.domain in ("", "ai.onnx")) > NEWEST_OPSET:
        return None
    tail = makers(served)
    decision = tail[DECISION]
    resize = tail.get(decision.input[0])
    if resize is None or not _is_linear(resize) or _readers(served, decision.input[0]) > 1:
        return None
    given = [number for number, name in enumerate(resize.input) if number > 1 and name]
    if len(given) != 1:  # either scales or sizes
        return None
    return _rewritten(served, resize, given[0])


def _rewritten(served: ModelProto, resize: NodeProto, given: int) -> ModelProto:
    """`given` is the index of the scales or sizes among the inputs of `resize`."""
    model = ModelProto()
    model.CopyFrom(served)
    order, turned, lowest = "decide/order", TURNED, "decide/minus_infinity"
    model.graph.initializer.append(numpy_helper.from_array(np.array(LAST, np.int64), order))
    laid = [
        helper.make_node("Transpose", [resize.input[0]], [turned], turned, perm=LAST),
        helper.make_node("Gather", [resize.input[given], order], [SIZES], SIZES),
    ]
    factor = _factor(served, resize, given)
    if factor is None:
        laid += _whole(resize, given, turned)
    else:
        # This Max changes no value. Without it, ONNX Runtime 1.32 moves an int8 network's DequantizeLinear behind the Transpose
        # and then crashes, because an If reads the Transpose's output.
        sparse = sparse_decision(factor)
        model.graph.initializer.append(numpy_helper.from_array(np.array(-np.inf, np.float32), lowest))
        model.graph.initializer.extend(sparse.initializer)
        laid += [helper.make_node("Max", [turned, lowest], [SMALL], SMALL), *sparse.node]
    replaced = {resize.output[0], DECISION, IDS}
    kept = [node for node in model.graph.node if not replaced.intersection(node.output)]
    del model.graph.node[:]
    model.graph.node.extend([*kept, *laid])
    return model


def _whole(resize: NodeProto, given: int, small: str) -> list[NodeProto]:
    """The nodes that compute IDS from all upsampled logits."""
    large = "decide/large"
    inputs = [small, *resize.input[1:]]
    inputs[given] = SIZES
    upsampled = NodeProto()
    upsampled.CopyFrom(resize)
    upsampled.input[:], upsampled.output[:] = inputs, [large]
    return [
        upsampled,
        helper.make_node("ArgMax", [large], [DECISION], DECISION, axis=3, keepdims=0),
        helper.make_node("Cast", [DECISION], [IDS], "decide/ids", to=TensorProto.UINT8),
    ]


def _factor(served: ModelProto, resize: NodeProto, given: int) -> int | None:
    """The factor by which the logits are upsampled, if in FACTORS. Found with a small image, because shape inference loses it."""
    mode = next((each.s for each in resize.attribute if each.name == "coordinate_transformation_mode"), b"half_pixel")
    if mode != b"half_pixel" or given != SIZES_INPUT:
        return None
    probe = ModelProto()
    probe.CopyFrom(served)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_tensor_value_info(resize.input[0], TensorProto.FLOAT, None))
    rows, columns = (dim.dim_value or PROBE[0] for dim in served.graph.input[0].type.tensor_type.shape.dim[1:3])
    try:
        _, classes, height, width = Session(probe).run(np.zeros((1, rows, columns, 3), np.uint8)).shape
    except GraphError:  # it takes no image of that size
        return None
    fits = classes > 1 and (height * (columns // width), columns % width) == (rows, 0) and columns // width in FACTORS
    return columns // width if fits else None


def _is_linear(node: NodeProto) -> bool:
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return (
        node.op_type == "Resize"
        and attributes.get("mode") == b"linear"
        and attributes.keys()
        <= {
            "mode",
            "coordinate_transformation_mode",
            "nearest_mode",
            "cubic_coeff_a",
        }
    )


def _readers(model: ModelProto, name: str) -> int:
    return sum(name in reads(node) for node in model.graph.node)
