"""Branches that the image does not decide.

Paddle2ONNX turns an assignment to a slice into an If, whose branches read tensors from outside and make sequences. onnxslim 0.1
fails on them. Swin fills its attention masks with nine such assignments in each of four stages; for images of one size, the masks
are constants.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ..runtime import Session


def fold(model: ModelProto) -> int:
    """Replace, in place, each If that the network's input does not reach with the constants it gives. Returns their number."""
    entry = model.graph.input[0]
    varying, decided = {entry.name}, []
    for node in model.graph.node:
        if not varying.isdisjoint(reads(node)):
            varying.update(node.output)
        elif node.op_type == "If":
            decided.append(node)
    if not decided:
        return 0
    names = [name for node in decided for name in node.output]
    probe = ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(map(helper.make_empty_tensor_value_info, names))
    image = np.zeros([dim.dim_value or 1 for dim in entry.type.tensor_type.shape.dim], np.float32)  # of any content
    for name, value in zip(names, Session(probe).all(image), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    kept = [node for node in model.graph.node if node not in decided]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return len(decided)


def reads(node: NodeProto) -> Iterator[str]:
    """The tensors that `node` reads, in its branches too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from reads(inner)
