from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from semseg_export.conversion.graph import served_graph
from semseg_export.errors import GraphError
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Archive, Normalisation


def pointwise(
    classes: int,
    *,
    tail: tuple[str, ...] = (),
    axis: int = 1,
    size: tuple[int | None, ...] = (None, 3, None, None),
    stride: int = 1,
) -> ModelProto:
    """A network with a single 1x1 convolution; `tail` names the operators after its logits."""
    weight = np.random.default_rng(0).normal(size=(classes, 3, 1, 1)).astype(np.float32)
    makers = {
        "ArgMax": lambda source, out: helper.make_node("ArgMax", [source], [out], axis=axis, keepdims=0),
        "Cast": lambda source, out: helper.make_node("Cast", [source], [out], to=TensorProto.INT32),
        "Relu": lambda source, out: helper.make_node("Relu", [source], [out]),
    }
    names = ["logits", *(f"{name}_out" for name in tail)]
    nodes = [helper.make_node("Conv", ["x", "weight"], ["logits"], strides=[stride, stride])]
    nodes += [makers[name](source, out) for name, source, out in zip(tail, names, names[1:], strict=False)]
    kind = TensorProto.INT32 if "Cast" in tail else TensorProto.INT64 if "ArgMax" in tail else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "pointwise",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, size)],
        [helper.make_tensor_value_info(names[-1], kind, None)],
        [numpy_helper.from_array(weight, "weight")],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_the_served_network_takes_pixels_and_gives_ids(network: ModelProto, archive: Archive) -> None:
    served = served_graph(network, archive.normalisation)
    model = served.model
    checker.check_model(model, full_check=True)
    assert (served.scores.classes, served.max_batch_size, served.fixed) == (19, 8, None)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    [pixels, lane], [ids] = model.graph.input, model.graph.output
    assert (lane.name, described(lane)) == ("lane", (TensorProto.INT8, ["batch", "lane"]))
    assert (pixels.name, described(pixels)) == ("pixels", (TensorProto.UINT8, ["batch", "height", "width", 3]))
    assert (ids.name, described(ids)) == ("ids", (TensorProto.UINT8, ["batch", "height", "width"]))


def described(value: object) -> tuple[int, list[str | int]]:
    tensor = value.type.tensor_type
    return tensor.elem_type, [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]


@pytest.mark.parametrize("shape", [(1, 64, 96), (3, 97, 65), (2, 130, 34)])
def test_ids_are_those_of_the_converted_network(network: ModelProto, archive: Archive, shape: tuple[int, int, int]) -> None:
    model = served_graph(network, archive.normalisation).model
    pixels = smooth_pixels(1, shape)
    expected = Session(network).run(archive.normalisation.apply(pixels))
    ids = Session(model).run(pixels)
    assert ids.dtype == np.uint8
    assert ids.shape == shape
    assert (ids == expected).mean() >= 0.9999


def test_the_graph_is_the_same_every_time(network: ModelProto, archive: Archive) -> None:
    first, second = (served_graph(network, archive.normalisation).model.SerializeToString() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("tail", [(), ("ArgMax",), ("ArgMax", "Cast")])
def test_logits_and_ids_of_any_type_are_taken(tail: tuple[str, ...]) -> None:
    normalisation = Normalisation((0.01, 0.02, 0.03), (-1, 0, 1))
    served = served_graph(pointwise(256, tail=tail), normalisation)
    pixels = smooth_pixels(2, (2, 33, 17))
    logits = Session(pointwise(256)).run(normalisation.apply(pixels))
    assert served.scores.classes == 256
    assert (Session(served.model).run(pixels) == logits.argmax(axis=1)).all()


def test_a_network_of_one_size_and_single_images_is_served_as_it_is() -> None:
    network_ = pointwise(5, size=(1, 3, 32, 64))
    served = served_graph(network_, Normalisation())
    assert (served.max_batch_size, served.fixed) == (1, (64, 32))
    assert described(served.model.graph.input[0]) == (TensorProto.UINT8, [1, 32, 64, 3])
    assert described(served.model.graph.output[0]) == (TensorProto.UINT8, [1, 32, 64])
    pixels = smooth_pixels(0, (1, 32, 64))
    assert (Session(served.model).run(pixels) == Session(network_).run(Normalisation().apply(pixels)).argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("network_", "complaint"),
    [
        (pointwise(257), "257 classes, more than the 256"),
        (pointwise(5, size=(4, 3, None, None)), "takes exactly 4 images at once: export it again for one, or for any number"),
        (pointwise(5, size=(1, 3, 512, None)), r"images of \[1, 3, 512, None\]: .* both height and width fixed"),
        (pointwise(5, size=(None, None)), "not one image tensor"),
        (pointwise(5, tail=("ArgMax",), axis=3), "over axis 3, not over the channels"),
        (pointwise(5, tail=("Relu", "Cast")), "come from Relu, not from an ArgMax"),
        (pointwise(5, stride=8), r"have shape \[1, 5, 16, 16\], not one per class and pixel"),
    ],
)
def test_what_does_not_label_pixels_is_refused(network_: ModelProto, complaint: str) -> None:
    with pytest.raises(GraphError, match=complaint):
        served_graph(network_, Normalisation())


def test_a_graph_that_onnx_runtime_cannot_run_is_said() -> None:
    with pytest.raises(GraphError, match=r"cannot run the network on \[1, 4, 8, 8\]"):
        Session(pointwise(5, size=(None, None, None, None))).run(np.zeros((1, 4, 8, 8), np.float32))
