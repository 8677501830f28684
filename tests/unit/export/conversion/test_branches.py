from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxslim
import paddle
from onnx import ModelProto, TensorProto, helper

from semseg_export.conversion import branches, convert
from semseg_export.runtime import Session
from semseg_export.weights.archive import Archive


class Masked(paddle.nn.Layer):
    """Adds a mask that is filled by assignments to slices, as in Swin."""

    def forward(self, x: Any) -> Any:
        mask = paddle.zeros([1, 1, 8, 8])
        for step, rows in enumerate((slice(0, -5), slice(-5, -2), slice(-2, None))):
            mask[:, :, rows, 1:] = step + 1
        return x + mask


def test_assignments_to_slices_become_constants(tmp_path: Path) -> None:
    masked = Masked()
    masked.eval()
    spec = [paddle.static.InputSpec([1, 3, 8, 8], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(masked, input_spec=spec, full_graph=True), str(tmp_path / "inference"))
    program = tmp_path / "inference.json"
    archive = Archive(program, program, tmp_path / "inference.yml")
    model = convert.to_onnx(archive, tmp_path)
    assert "If" not in {node.op_type for node in model.graph.node}
    image = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    assert (Session(onnxslim.slim(model)).run(image) == masked(paddle.to_tensor(image)).numpy()).all()


def branching(condition: str) -> ModelProto:
    """x + 1 if `condition`, else x + 2. "given" is a constant, "found" depends on x."""

    def branch(name: str, addend: str) -> Any:
        chosen = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node("Identity", [addend], [name])], name, [], [chosen])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "zero"], ["found"]),
        helper.make_node("If", [condition], ["addend"], then_branch=branch("then", "one"), else_branch=branch("else", "two")),
        helper.make_node("Add", ["x", "addend"], ["y"]),
    ]
    constants = [
        *(helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("zero", 0), ("one", 1), ("two", 2))),
        helper.make_tensor("given", TensorProto.BOOL, [], [True]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 2, 2]) for name in "xy")
    graph = helper.make_graph(nodes, "branching", [x], [y], constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_only_branches_that_the_image_does_not_decide_are_folded() -> None:
    image = np.full((1, 1, 2, 2), -5, np.float32)
    given, found = branching("given"), branching("found")
    assert (branches.fold(given), branches.fold(found)) == (1, 0)
    assert (Session(given).run(image) == -4).all()
    assert (Session(found).run(image) == -3).all()
    assert (Session(found).run(-image) == 6).all()


def test_a_branch_that_reads_the_image_is_kept() -> None:
    model = branching("given")
    branch = next(node for node in model.graph.node if node.op_type == "If").attribute[0].g
    branch.node[0].input[0] = "largest"
    assert branches.fold(model) == 0
