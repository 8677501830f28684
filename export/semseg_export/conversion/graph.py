"""The served graph: `pixels` uint8 RGB [N, H, W, 3] in, `ids` uint8 [N, H, W] out.

They take a quarter of the bytes of the input and output of Paddle's own exported network. Nothing reads the second input, `lane`
int8 [N, any]: Triton only batches requests whose inputs have equal shapes, so preprocess uses it to separate images that would
take too much memory together. Opset and IR version stay those of the converted network, so that the ONNX Runtime of any
current Triton can read the file.
"""

from __future__ import annotations

import numpy as np
import onnxslim
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from semseg_contract.tensors import IDS, LANE, PIXELS

from ..errors import GraphError
from ..runtime import Session
from ..weights.archive import Normalisation

DECISION = "decide/class"  # name of the int64 tensor of class ids, and of the ArgMax that computes it
HEAD = "prepare/"  # prefix of the nodes that prepare the pixels
PROBE = 128  # pixels; height and width of the test image that reveals the number of classes


def served_graph(network: ModelProto, normalisation: Normalisation) -> tuple[ModelProto, int]:
    """The graph to serve and its number of classes.

    `network` takes float32 [N, 3, H, W] and gives class ids (any integer type) or logits [N, C, H, W]. Raises GraphError
    for any other network, and for more classes than fit in uint8.
    """
    entry = _entry(network)
    logits = _logits(network)
    classes = _class_count(network, logits)
    if classes > 256:
        raise GraphError(f"the network has {classes} classes, more than the 256 that fit in uint8")
    nodes = [*_head(entry), *needed(network, logits), *_tail(logits)]
    graph = helper.make_graph(
        nodes,
        "segmentation",
        [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["batch", "height", "width", 3])],
        [helper.make_tensor_value_info(IDS, TensorProto.UINT8, ["batch", "height", "width"])],
        [*network.graph.initializer, *_constants(normalisation)],
    )
    model = helper.make_model(graph, ir_version=network.ir_version, opset_imports=network.opset_import)
    model = _slimmed(model)
    model.graph.input.append(helper.make_tensor_value_info(LANE, TensorProto.INT8, ["batch", "lane"]))
    return model, classes


def _entry(network: ModelProto) -> str:
    constants = {tensor.name for tensor in network.graph.initializer}
    inputs = [value for value in network.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(_dims(inputs[0])) != 4:
        found = ", ".join(f"{value.name} {_dims(value)}" for value in inputs)
        raise GraphError(f"the network takes {found}, not one image tensor [N, 3, H, W]")
    dims = _dims(inputs[0])
    if dims[1] not in (3, None) or dims[0] or dims[2] or dims[3]:
        raise GraphError(
            f"the network takes images of {dims} only: export it again with input shape [None, 3, None, None], to accept any size"
        )
    return str(inputs[0].name)


def _dims(value: ValueInfoProto) -> list[int | None]:
    """None means any length."""
    return [dim.dim_value if dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]


def _logits(network: ModelProto) -> str:
    """Name of the tensor [N, C, H, W] whose largest channel is the class: the ArgMax's input, or else the network's output."""
    if len(network.graph.output) != 1:
        raise GraphError(f"the network returns {len(network.graph.output)} tensors, not one with class ids or logits")
    output = network.graph.output[0]
    if output.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
        return str(output.name)
    made_by = makers(network)
    node = made_by.get(output.name)
    while node is not None and node.op_type in ("Cast", "Identity", "Squeeze"):
        node = made_by.get(node.input[0])
    if node is None or node.op_type != "ArgMax":
        kind = node.op_type if node is not None else "nothing"
        raise GraphError(f"the network's class ids come from {kind}, not from an ArgMax over channels")
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    if axis not in (1, -3):
        raise GraphError(f"the network's ArgMax is over axis {axis}, not over the channels, axis 1")
    return str(node.input[0])


def makers(network: ModelProto) -> dict[str, NodeProto]:
    """The node that computes each tensor, by the tensor's name."""
    return {output: node for node in network.graph.node for output in node.output}


def _class_count(network: ModelProto, logits: str) -> int:
    """Run the network once on a small image, because shape inference loses the number of channels."""
    probe = ModelProto()
    probe.CopyFrom(network)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_tensor_value_info(logits, TensorProto.FLOAT, None))
    shape = Session(probe).run(np.zeros((1, 3, PROBE, PROBE), np.float32)).shape
    if len(shape) != 4 or shape[2:] != (PROBE, PROBE):
        raise GraphError(
            f"the network's logits for a {PROBE}x{PROBE} image have shape {list(shape)}, not one per class and pixel"
        )
    return int(shape[1])


def _head(entry: str) -> list[NodeProto]:
    """uint8 NHWC to normalised float32 NCHW; transposed first, while a pixel is still three bytes."""
    return [
        helper.make_node("Transpose", [PIXELS], ["prepare/planes"], "prepare/planes", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["prepare/planes"], ["prepare/floats"], "prepare/floats", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["prepare/floats", "prepare/alpha"], ["prepare/scaled"], "prepare/scaled"),
        helper.make_node("Add", ["prepare/scaled", "prepare/beta"], [entry], "prepare/shifted"),
    ]


def _constants(normalisation: Normalisation) -> list[TensorProto]:
    return [
        numpy_helper.from_array(np.array(values, np.float32).reshape(3, 1, 1), name)
        for name, values in (("prepare/alpha", normalisation.alpha), ("prepare/beta", normalisation.beta))
    ]


def needed(network: ModelProto, tensor: str) -> list[NodeProto]:
    """The nodes that `tensor` depends on, in the network's order."""
    made_by = makers(network)
    wanted, seen = [tensor], set()
    while wanted:
        name = wanted.pop()
        if name in made_by and name not in seen:
            seen.update(made_by[name].output)
            wanted += made_by[name].input
    return [node for node in network.graph.node if seen.intersection(node.output)]


def _tail(logits: str) -> list[NodeProto]:
    return [
        helper.make_node("ArgMax", [logits], [DECISION], DECISION, axis=1, keepdims=0),
        helper.make_node("Cast", [DECISION], [IDS], "decide/ids", to=TensorProto.UINT8),
    ]


def _slimmed(model: ModelProto) -> ModelProto:
    slim: ModelProto = onnxslim.slim(model)
    slim.graph.input[0].CopyFrom(model.graph.input[0])
    slim.graph.output[0].CopyFrom(model.graph.output[0])
    _leave_out_empty(slim)
    return slim


def _leave_out_empty(model: ModelProto) -> None:
    """Omit Resize inputs that are empty constants, which older opsets need as placeholders."""
    empty = {tensor.name for tensor in model.graph.initializer if 0 in tensor.dims}
    for node in model.graph.node:
        if node.op_type == "Resize":
            node.input[:] = ["" if name in empty else name for name in node.input]


def deciding(served: ModelProto) -> ModelProto:
    """The served graph up to the logits that its argmax reads, float32 [N, C, H, W]."""
    model = ModelProto()
    model.CopyFrom(served)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(makers(served)[DECISION].input[0], TensorProto.FLOAT, None))
    return model
