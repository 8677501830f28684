from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from semseg_contract.transforms import Preparation, Resize
from semseg_export.checks import memory
from semseg_export.checks.memory import Memory
from semseg_export.conversion.graph import served_graph
from semseg_export.errors import MemoryBudgetError
from semseg_export.weights.archive import Archive

GIB = 2**30


def attention() -> ModelProto:
    """A graph with a softmax over all pairs of 16x16 patches: (2^12)^2 floats, or 64 MiB, at one megapixel. The peak
    memory at the measured sizes alone does not reveal it."""
    constants = {"patches": [-1, 256], "one": [1]}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Slice", ["floats", "zero", "one", "three"], ["red"]),
        helper.make_node("Reshape", ["red", "patches"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["rows", "columns"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=1),
        helper.make_node("ReduceMax", ["weights"], ["ids"], keepdims=0),
    ]
    constants |= {"zero": [0], "three": [3]}
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, None, None, 3])],
        [helper.make_tensor_value_info("ids", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(values, np.int64), name) for name, values in constants.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_between_measured_sizes_the_larger_counts_and_beyond_the_steepest() -> None:
    taken = Memory([[0.5, 1e9], [1, 1.5e9], [2, 3e9]], 0)
    assert [taken.at(size) for size in (0.1, 0.5, 0.7, 2, 4)] == [1e9, 1e9, 1.5e9, 3e9, 6e9]


def test_what_grows_with_the_square_is_added_beyond() -> None:
    assert Memory([[1, 1e9], [2, 2e9]], 1e8).at(4) == 2e9 + 2e9 + 12e8


def test_the_limit_is_the_largest_that_fits() -> None:
    taken = Memory([[1, 1e9], [2, 2e9]], 0)
    assert [memory.limit(taken, budget) for budget in (1e9, 5e9, 8e9, 1e15)] == [1, 4, 8, 128]


def test_a_budget_that_is_too_small_is_told_with_what_is_needed() -> None:
    with pytest.raises(MemoryBudgetError, match=r"takes 1\.0 GB for an image of one megapixel, more than the 0\.5 GB .* MEMORY="):
        memory.limit(Memory([[1, 1e9], [2, 2e9]], 0), 0.5e9)


def test_a_resize_that_makes_larger_images_than_the_budget_admits_is_told() -> None:
    taken = Memory([[1, 1e9], [2, 2e9]], 0)
    assert memory.limit(taken, 2e9, Preparation((Resize((2048, 1024)),))) == 2
    with pytest.raises(
        MemoryBudgetError, match=r"own transforms make images of up to 4\.0 megapixels, but 2 GB are enough for 2: .*MEMORY"
    ):
        memory.limit(taken, 2e9, Preparation((Resize((2030, 2030)),)))


def test_a_networks_memory_is_measured(network: ModelProto, archive: Archive, tmp_path: Path) -> None:
    served = served_graph(network, archive.normalisation).model
    taken = memory.measure(served.SerializeToString(), tmp_path)
    assert [size for size, _ in taken.peaks] == [0.5, 1, 2]
    # At least the 19 logits of every pixel; at most a small multiple of a narrow network's layers.
    assert 19 * 4 * 2**20 < taken.slope < GIB
    assert taken.square == 0


def test_attention_is_seen_before_it_shows(tmp_path: Path) -> None:
    taken = memory.measure(attention().SerializeToString(), tmp_path)
    assert taken.square == pytest.approx(2**26)
