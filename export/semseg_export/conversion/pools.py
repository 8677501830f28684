"""Adaptive average pools for any input size.

Paddle2ONNX refuses an adaptive pool to k x k bins (k > 1) unless height and width are fixed, and ONNX has no such operator. So
`mark` turns it into a plain pool in Paddle's program, with a stride that no real network has; Paddle2ONNX accepts that. In the
ONNX graph, `restore` replaces the marked pool with out = A_h X A_w^T, whose matrices are computed at run time from the size of X:
A[i, j] = 1 / (e - s) for s <= j < e, with s = floor(i n / k) and e = ceil((i + 1) n / k), which is Paddle's own rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

MARK = 100_000


def mark(program: dict[str, Any]) -> None:
    """Change a PIR program's JSON in place: turn adaptive average pools to k > 1 bins into plain ones with stride MARK + k."""
    for region in program["program"]["regions"]:
        for block in region["blocks"]:
            for operation in block["ops"]:
                if operation["#"].endswith(".pool2d"):
                    _mark_pool(operation)


def _mark_pool(operation: dict[str, Any]) -> None:
    attributes = {attribute["N"]: attribute["AT"] for attribute in operation["A"]}
    bins = operation["O"][0]["TT"]["D"][1][2:]
    averages = attributes["adaptive"]["D"] and attributes["pooling_type"]["D"] == "avg"
    if not averages or bins == [1, 1] or min(bins) < 1:
        return
    attributes["adaptive"]["D"] = False
    for stride, count in zip(attributes["strides"]["D"], bins, strict=True):
        stride["D"] = MARK + count


def restore(model: ModelProto) -> int:
    """Replace the marked pools of `model`, in place, with averaging matrices. Returns their number."""
    nodes: list[NodeProto] = []
    restored = 0
    for node in model.graph.node:
        bins = _marked_bins(node)
        if bins is None:
            nodes.append(node)
            continue
        nodes += _averaging(model.graph, node, bins, f"adaptive_pool_{restored}")
        restored += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return restored


def _marked_bins(node: NodeProto) -> tuple[int, int] | None:
    if node.op_type != "AveragePool":
        return None
    strides = next((list(attribute.ints) for attribute in node.attribute if attribute.name == "strides"), [])
    if not strides or min(strides) < MARK:
        return None
    return strides[0] - MARK, strides[1] - MARK


def _averaging(graph: GraphProto, pool: NodeProto, bins: tuple[int, int], name: str) -> list[NodeProto]:
    """Nodes computing A_h X A_w^T for X [N, C, H, W] of any height and width."""
    maker = _Maker(graph, name)
    image, pooled = pool.input[0], pool.output[0]
    down = maker.averages(maker.size(image, 2), bins[0])
    across = maker.node("Transpose", [maker.averages(maker.size(image, 3), bins[1])], perm=[1, 0])
    rows = maker.node("MatMul", [image, across])
    maker.nodes.append(helper.make_node("MatMul", [down, rows], [pooled], f"{name}/output"))
    return maker.nodes


class _Maker:
    """Makes nodes and constants with unique names."""

    def __init__(self, graph: GraphProto, name: str) -> None:
        self.graph = graph
        self.name = name
        self.nodes: list[NodeProto] = []
        self.constants = 0

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        output = f"{self.name}/{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
        return output

    def constant(self, value: Any) -> str:
        name = f"{self.name}/constant_{self.constants}"
        self.constants += 1
        self.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
        return name

    def size(self, image: str, axis: int) -> str:
        """The length of one axis, as an int64 scalar."""
        shape = self.node("Shape", [image])
        return self.node("Gather", [shape, self.constant(axis)])

    def averages(self, length: str, bins: int) -> str:
        """The averaging matrix A, float32 [bins, length]."""
        column = np.arange(bins)[:, None]
        divisor = self.constant(bins)
        start = self.node("Div", [self.node("Mul", [self.constant(column), length]), divisor])
        end = self.node("Mul", [self.constant(column + 1), length])
        end = self.node("Div", [self.node("Add", [end, self.constant(bins - 1)]), divisor])
        index = self.node("Range", [self.constant(0), length, self.constant(1)])
        inside = self.node("And", [self.node("GreaterOrEqual", [index, start]), self.node("Less", [index, end])])
        width = self.node("Cast", [self.node("Sub", [end, start])], to=TensorProto.FLOAT)
        return self.node("Div", [self.node("Cast", [inside], to=TensorProto.FLOAT), width])
