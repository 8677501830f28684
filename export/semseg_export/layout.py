"""The served graph's tail laid out for the CPU: the last upsampling and the argmax with the classes of a pixel side by side.

ONNX Runtime's argmax over the planes of [N, C, H, W] reads one pixel's logits from C places far apart; with 150 classes that
is most of SeaFormer's time. Transposed while still small, and then upsampled as [N, H, W, C], they lie together, and every
logit is computed by the same operations: the ids are bit-identical.

Not for a GPU: the Resize of ONNX Runtime's CUDA provider interpolates over the last two axes of a tensor, whatever the sizes
that it is asked for (onnxruntime/core/providers/cuda/tensor/resize_impl.cu), here over width and classes.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from .graph import DECISION, makers

LAST = (0, 2, 3, 1)  # [N, C, H, W] to [N, H, W, C]


def laid_out(served: ModelProto) -> ModelProto | None:
    """`served` with its tail for the CPU; None if it does not end in a linear Resize of the logits."""
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
    """`given` is the place of the scales or sizes among the inputs of `resize`."""
    model = ModelProto()
    model.CopyFrom(served)
    order, small, sizes, large = (f"decide/{name}" for name in ("order", "small", "sizes", "large"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(LAST, np.int64), order))
    inputs = [small, *resize.input[1:]]
    inputs[given] = sizes
    upsampled = NodeProto()
    upsampled.CopyFrom(resize)
    upsampled.input[:], upsampled.output[:] = inputs, [large]
    decision = helper.make_node("ArgMax", [large], [DECISION], DECISION, axis=3, keepdims=0)
    place = list(served.graph.node).index(resize)
    nodes = [node for node in model.graph.node if node.output[0] not in (resize.output[0], DECISION)]
    nodes[place:place] = [
        helper.make_node("Transpose", [resize.input[0]], [small], small, perm=LAST),
        helper.make_node("Gather", [resize.input[given], order], [sizes], sizes),
        upsampled,
        decision,
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


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
    return sum(name in node.input for node in model.graph.node)
