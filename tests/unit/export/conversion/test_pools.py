from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import paddle
import pytest
from onnx import ModelProto, TensorProto, helper

from semseg_export.conversion import pools
from semseg_export.runtime import Session
from semseg_export.weights.archive import Archive


def marked_pool(bins: tuple[int, int]) -> ModelProto:
    """A marked pool as Paddle2ONNX converts it."""
    strides = [pools.MARK + count for count in bins]
    pool = helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=list(bins), strides=strides)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, None, None, None])
    pooled = helper.make_tensor_value_info("pooled", TensorProto.FLOAT, [None, None, None, None])
    graph = helper.make_graph([pool], "pool", [image], [pooled])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("bins", [(2, 2), (3, 3), (4, 4), (6, 6), (1, 4), (3, 2)])
def test_adaptive_pools_equal_paddle_at_any_size(bins: tuple[int, int]) -> None:
    model = marked_pool(bins)
    assert pools.restore(model) == 1
    session = Session(model)
    random = np.random.default_rng(0)
    for height, width in [*pairwise(range(1, 34)), (97, 65), (64, 128), (33, 131)]:
        image = random.normal(size=(1 + height % 3, 2, height, width)).astype(np.float32)
        expected = paddle.nn.functional.adaptive_avg_pool2d(paddle.to_tensor(image), bins).numpy()
        np.testing.assert_allclose(session.run(image), expected, rtol=0, atol=2e-6)


def test_only_pools_to_several_bins_are_marked(archive: Archive) -> None:
    before, after = (json.loads(archive.program.read_text()) for _ in range(2))
    pools.mark(after)
    changed = [new for old, new in zip(ops(before), ops(after), strict=True) if old != new]
    assert [strides(pool) for pool in changed] == [[100_002] * 2, [100_004] * 2]


def ops(program: dict) -> list[dict]:
    return program["program"]["regions"][0]["blocks"][0]["ops"]


def strides(pool: dict) -> list[int]:
    [value] = [attribute["AT"]["D"] for attribute in pool["A"] if attribute["N"] == "strides"]
    return [stride["D"] for stride in value]


def test_no_mark_is_left_in_the_network(network: ModelProto) -> None:
    names = [output for node in network.graph.node for output in node.output]
    assert len(names) == len(set(names))
    assert sum(name.startswith("adaptive_pool_1/") for name in names) > 0
    assert pools.restore(network) == 0
