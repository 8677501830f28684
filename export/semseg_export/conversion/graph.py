"""The served graph: `pixels` RGB [N, H, W, 3], uint8 or float32, in; `ids` uint8 [N, H, W] out.

In uint8, they take a quarter of the bytes of the input and output of Paddle's own exported network. Nothing reads the second
input, `lane` int8 [N, any]: Triton only batches requests whose inputs have equal shapes, so preprocess uses it to separate images
that would take too much memory together. Opset and IR version stay those of the converted network, so that the ONNX Runtime of
any current Triton can read the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxslim
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from semseg_contract.limits import MAX_BATCH_SIZE
from semseg_contract.tensors import IDS, LANE, PIXELS
from semseg_contract.transforms import Size

from ..errors import GraphError, printable
from ..weights.normalisation import Normalisation
from . import scores
from .branches import reads
from .scores import Scores, makers

DECISION = "decide/class"  # name of the int64 tensor of class ids, and of the ArgMax that computes it
HEAD = "prepare/"  # prefix of the nodes that prepare the pixels


@dataclass(frozen=True)
class Served:
    """A graph to serve. `scores` says how it decides; `max_batch_size` is 1 if the network takes single images only, and `fixed`
    is the only size, width and height, that it takes, if there is only one."""

    model: ModelProto
    scores: Scores
    max_batch_size: int
    fixed: Size | None


def served_graph(
    network: ModelProto,
    normalisation: Normalisation,
    *,
    floats: bool = False,
    threshold: float | None = None,
    probe: Size = scores.PROBE,
) -> Served:
    """The graph to serve.

    `network` takes float32 [N, 3, H, W] and gives class ids or scores (scores.py). With `floats`, the served graph takes float32
    pixels. `threshold` is for a network of one channel: higher scores are foreground, class 1. `probe` is the size of a small
    image that it takes. Raises GraphError for any other network, and for more classes than fit in uint8.
    """
    entry, batch, fixed = _entry(network)
    found = scores.find(network, threshold, [fixed] if fixed else [probe, scores.LARGER])
    if found.classes > 256:
        raise GraphError(f"the network has {found.classes} classes, more than the 256 that fit in uint8")
    columns, rows = fixed or ("width", "height")
    pixels = TensorProto.FLOAT if floats else TensorProto.UINT8
    nodes = [*_head(entry, floats), *needed(network, found.tensor), *_tail(found)]
    graph = helper.make_graph(
        nodes,
        "segmentation",
        [helper.make_tensor_value_info(PIXELS, pixels, [batch or "batch", rows, columns, 3])],
        [helper.make_tensor_value_info(IDS, TensorProto.UINT8, [batch or "batch", rows, columns])],
        [*network.graph.initializer, *_constants(normalisation), *_limits(found)],
    )
    model = helper.make_model(graph, ir_version=network.ir_version, opset_imports=network.opset_import)
    model = _slimmed(model)
    model.graph.input.append(helper.make_tensor_value_info(LANE, TensorProto.INT8, [batch or "batch", "lane"]))
    return Served(model, found, batch or MAX_BATCH_SIZE, fixed)


def _entry(network: ModelProto) -> tuple[str, int | None, Size | None]:
    """The name of the network's input, and the batch size and the width and height that it takes, if these are fixed."""
    constants = {tensor.name for tensor in network.graph.initializer}
    inputs = [value for value in network.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(_dims(inputs[0])) != 4:
        found = ", ".join(f"{value.name} {_dims(value)}" for value in inputs)
        raise GraphError(f"the network takes {found}, not one image tensor [N, 3, H, W]")
    batch, channels, height, width = dims = _dims(inputs[0])
    kind = inputs[0].type.tensor_type.elem_type
    if kind != TensorProto.FLOAT:
        name = TensorProto.DataType.Name(kind).lower()
        raise GraphError(f"the network takes {name} images: only networks that take float32 are served")
    if width == 3 != channels:
        raise GraphError(f"the network takes images of {dims}, the channels last: export it again with the channels first")
    if channels not in (3, None):
        raise GraphError(
            f"the network takes images of {channels} channels ({dims}): only networks of three channels, red, green and blue, are"
            " served"
        )
    if batch not in (1, None):
        raise GraphError(f"the network takes exactly {batch} images at once: export it again for one, or for any number")
    if (height is None) != (width is None):
        raise GraphError(f"the network takes images of {dims}: export it again with both height and width fixed, or with neither")
    return str(inputs[0].name), batch, None if height is None or width is None else (width, height)


def _dims(value: ValueInfoProto) -> list[int | None]:
    """None means any length."""
    return [dim.dim_value if dim.dim_value > 0 else None for dim in value.type.tensor_type.shape.dim]


def _head(entry: str, floats: bool) -> list[NodeProto]:
    """Pixels NHWC to normalised float32 NCHW; transposed first, while a pixel is usually still three bytes."""
    made = "prepare/planes" if floats else "prepare/floats"
    cast = helper.make_node("Cast", ["prepare/planes"], ["prepare/floats"], "prepare/floats", to=TensorProto.FLOAT)
    return [
        helper.make_node("Transpose", [PIXELS], ["prepare/planes"], "prepare/planes", perm=[0, 3, 1, 2]),
        *([] if floats else [cast]),
        helper.make_node("Mul", [made, "prepare/alpha"], ["prepare/scaled"], "prepare/scaled"),
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
            wanted += reads(made_by[name])
    return [node for node in network.graph.node if seen.intersection(node.output)]


def _tail(found: Scores) -> list[NodeProto]:
    """Scores to ids. A single channel competes with a second one that holds the threshold everywhere, and loses ties."""
    nodes, decided = [], found.tensor
    if found.threshold is not None:
        channel = found.tensor
        if found.flat:
            channel = "decide/channel"
            nodes.append(helper.make_node("Unsqueeze", [found.tensor, "decide/axis"], [channel], channel))
        decided = "decide/both"
        nodes += [
            helper.make_node("Shape", [channel], ["decide/shape"], "decide/shape"),
            helper.make_node("Expand", ["decide/threshold", "decide/shape"], ["decide/limit"], "decide/limit"),
            helper.make_node("Concat", ["decide/limit", channel], [decided], decided, axis=1),
        ]
    return [
        *nodes,
        helper.make_node("ArgMax", [decided], [DECISION], DECISION, axis=1, keepdims=0),
        helper.make_node("Cast", [DECISION], [IDS], "decide/ids", to=TensorProto.UINT8),
    ]


def _limits(found: Scores) -> list[TensorProto]:
    """The constants of `_tail`."""
    if found.threshold is None:
        return []
    limit = np.full((1, 1, 1, 1), found.threshold, np.float32)
    return [numpy_helper.from_array(limit, "decide/threshold"), numpy_helper.from_array(np.array([1], np.int64), "decide/axis")]


def _slimmed(model: ModelProto) -> ModelProto:
    try:
        slim: ModelProto = onnxslim.slim(model)
    except Exception as error:  # it raises whatever its own code stumbles over
        raise GraphError(f"onnxslim cannot simplify the network ({type(error).__name__}: {printable(str(error))})") from error
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
