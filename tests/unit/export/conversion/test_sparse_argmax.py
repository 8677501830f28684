from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from onnx import GraphProto, ModelProto, TensorProto, checker, helper

from semseg_export.conversion.graph import IDS
from semseg_export.conversion.sparse_argmax import FACTORS, SIZES, SMALL, at_worst, decision
from semseg_export.runtime import Session

Logits = npt.NDArray[np.float32]
BRANCHES = ("ids_1", "ids_2", "ids_3", "ids_sparse")  # whole: sizes or values; many mixed cells; long lists. Or sparse.


@dataclass
class Answer:
    ids: npt.NDArray[np.uint8]
    branch: str


def as_model(graph: GraphProto) -> ModelProto:
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def marked(graph: GraphProto) -> None:
    """Makes each branch of the graph output its own number instead of ids."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == attribute.GRAPH:
                marked(attribute.g)
    name = graph.output[0].name.removeprefix("decide/")
    if name in BRANCHES:
        value = helper.make_tensor("value", TensorProto.UINT8, [1, 1, 1], [BRANCHES.index(name)])
        del graph.node[:]
        graph.node.append(helper.make_node("Constant", [], [f"decide/{name}"], value=value))


@cache
def sessions(factor: int) -> tuple[Session, Session, Session]:
    """The decision; the same graph, reporting the branch that it took; and a graph that upsamples and compares all logits."""
    model, told = as_model(decision(factor)), as_model(decision(factor))
    checker.check_model(model, full_check=True)
    marked(told.graph)
    nodes = [
        helper.make_node("Resize", [SMALL, "", "", SIZES], ["large"], mode="linear"),
        helper.make_node("ArgMax", ["large"], ["class"], axis=3, keepdims=0),
        helper.make_node("Cast", ["class"], [IDS], to=TensorProto.UINT8),
    ]
    whole = helper.make_graph(nodes, "whole", model.graph.input, model.graph.output)
    return Session(model), Session(told), Session(as_model(whole))


def answer(logits: Logits, factor: int, size: tuple[int, int] | None = None) -> Answer:
    """The ids and the branch that computed them. Fails the test unless upsampling all logits gives the same ids."""
    number, height, width, classes = logits.shape
    full_height, full_width = size or (height * factor, width * factor)
    feeds = {SMALL: logits, SIZES: np.array([number, full_height, full_width, classes])}
    found, told, whole = (each.session.run(None, feeds)[0] for each in sessions(factor))
    assert found.dtype == np.uint8
    assert np.array_equal(found, whole)
    return Answer(found, BRANCHES[told.ravel()[0]])


def regions(seed: int, shape: tuple[int, int, int, int], patch: int = 8) -> Logits:
    """Logits [N, h, w, C] like those of a trained network: patches of one class each, with a little noise."""
    number, height, width, classes = shape
    random = np.random.default_rng(seed)
    coarse = random.integers(0, classes, (number, -(-height // patch), -(-width // patch)))
    label = coarse.repeat(patch, axis=1).repeat(patch, axis=2)[:, :height, :width]
    logits: Logits = (8 * np.eye(classes)[label] + random.normal(size=shape)).astype(np.float32)
    return logits


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("size", [(2, 2), (2, 9), (7, 2), (33, 18)])
@pytest.mark.parametrize("classes", [2, 19, 150])
def test_regions_get_the_same_ids_without_most_of_the_upsampling(factor: int, size: tuple[int, int], classes: int) -> None:
    for number in (1, 3):
        found = answer(regions(number, (number, *size, classes)), factor)
        assert found.ids.shape == (number, size[0] * factor, size[1] * factor)
    large = answer(regions(5, (1, 64, 48, classes), 32), factor)
    assert large.branch == "ids_sparse"


def test_where_every_class_may_win_everywhere_all_are_upsampled() -> None:
    random = np.random.default_rng(0)
    near = (100 + random.normal(size=(1, 24, 40, 19)) * 1e-6).astype(np.float32)
    assert answer(near, 8).branch == "ids_3"
    assert answer(near, 4).branch == "ids_2"
    noise = random.normal(size=(2, 24, 40, 19)).astype(np.float32)
    assert answer(noise, 4).branch == "ids_2"


def test_sizes_that_are_no_multiples_are_upsampled_whole() -> None:
    logits = regions(0, (2, 12, 20, 19))
    for size in ((95, 160), (96, 159), (97, 161), (192, 320), (48, 80)):
        assert answer(logits, 8, size).branch == "ids_1"
    for size in ((1, 20), (12, 1), (1, 1)):
        assert answer(regions(0, (1, *size, 19)), 8).branch == "ids_1"


def test_where_one_class_has_it_all_nothing_is_upsampled() -> None:
    logits = np.zeros((1, 6, 9, 19), np.float32)
    logits[..., 7] = 1
    found = answer(logits, 8)
    assert found.branch == "ids_sparse"
    assert (found.ids == 7).all()


def test_of_equal_classes_the_first_wins() -> None:
    for value in (0, 1.7, -3e4):
        alike = np.full((1, 9, 12, 19), value, np.float32)
        assert (answer(alike, 8).ids == 0).all()
    pairs = regions(3, (1, 24, 40, 19), 6).repeat(2, axis=3)  # every class appears twice
    found = answer(pairs, 8)
    assert found.branch == "ids_sparse"
    assert not (found.ids % 2).any()


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1, 1e6, 1e25])
def test_a_lead_that_rounding_may_eat_is_not_relied_on(scale: float) -> None:
    """Class 3 leads class 1 by at most a few units in the last place, or is behind it, at some or all corners."""
    random = np.random.default_rng(1)
    logits = regions(4, (1, 40, 40, 9), 10)
    logits[..., 3] = logits.max(axis=3) + 1
    logits *= np.float32(scale)
    steps = random.integers(-2, 4, logits.shape[:3])
    towards = np.where(steps > 0, np.inf, -np.inf).astype(np.float32)
    lead = logits[..., 3].copy()
    for step in range(1, 4):
        lead = np.where(np.abs(steps) >= step, np.nextafter(lead, towards), lead)
    logits[..., 1] = logits[..., 3]
    logits[..., 3] = lead
    found = answer(logits, 8)
    assert set(np.unique(found.ids)) == {1, 3}
    assert found.branch == ("ids_sparse" if scale > 1e-38 else "ids_3")


def test_any_mixture_of_scales_gets_the_same_ids() -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        classes = int(random.choice([2, 3, 5, 19, 150]))
        shape = (int(random.integers(1, 4)), *random.integers(2, 24, 2), classes)
        logits = regions(seed, shape, int(random.integers(2, 12)))
        logits = (logits * 10.0 ** random.integers(-6, 6)).astype(np.float32)
        quantum = np.float32(2.0 ** random.integers(-12, 3))
        answer(np.round(logits / quantum) * quantum, int(random.choice(FACTORS)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_logits_that_are_no_numbers_or_too_large_are_upsampled_whole(value: float) -> None:
    logits = regions(0, (2, 12, 20, 19))
    logits[1, 5, 7, 3] = value
    assert answer(logits, 8).branch == "ids_1"


@pytest.mark.parametrize("factor", FACTORS)
def test_at_worst_all_classes_are_listed_and_upsampled_whole_nevertheless(factor: int) -> None:
    logits = np.zeros((1, 6, 9, 19), np.float32)
    logits[..., 7] = 1
    assert answer(logits, factor).branch == "ids_sparse"
    told = as_model(decision(factor))
    marked(told.graph)
    feeds = {SMALL: logits, SIZES: np.array([1, 6 * factor, 9 * factor, 19])}
    assert BRANCHES[Session(at_worst(told)).session.run(None, feeds)[0].ravel()[0]] == "ids_3"
