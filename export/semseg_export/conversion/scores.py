"""Finds, in a converted network, the scores that decide each pixel's class.

People export their networks with an argmax, a softmax, a sigmoid, a threshold, or nothing behind the last layer; some export ids
and scores together. Behind all of these are scores [N, C, H, W].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from semseg_contract.transforms import Size

from ..errors import GraphError
from ..runtime import Session

PROBE: Size = (128, 128)  # of a small test image that reveals the scores' shape, for a network that takes any
LARGER: Size = (512, 512)  # for one that fails on that
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
PASSING = ("Cast", "Identity", "Squeeze")  # what may follow the decision
KEEPING = (*PASSING, "Clip", "Pad", "Reshape", "Resize", "Slice", "Transpose", "Unsqueeze")  # what may follow a sigmoid
TO_LAST = [0, 2, 3, 1]  # NCHW to NHWC
AGAIN = "export it again with --output_op none"


@dataclass(frozen=True)
class Scores:
    """`tensor` names the float32 scores: [N, C, H, W], where the largest of a pixel's scores names its class, or, with a
    `threshold`, [N, 1, H, W] or [N, H, W], where a higher score means class 1. `notes` are for the user."""

    tensor: str
    classes: int
    threshold: float | None = None
    flat: bool = False  # [N, H, W]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Where the search from an output ended: at scores, with the decision that the network takes on them, if any."""

    tensor: str
    argmax: bool = False
    threshold: float | None = None
    squashed: str = ""  # the operator that gave the scores their range, if any: Sigmoid or Softmax


def find(network: ModelProto, threshold: float | None = None, probes: Sequence[Size] = (PROBE, LARGER)) -> Scores:
    """The scores of a network. `threshold` replaces the usual one of a network with a single channel; `probes` are sizes of small
    images, one of which it takes.

    Raises GraphError for a network that does not give each pixel one class.
    """
    taken, notes = output(network)
    found = _searched(network, taken)
    probe, values = _probed(network, found.tensor, probes)
    classes, flat = _channels(probe, values.shape), values.ndim == 3
    if found.threshold is not None:
        if classes > 1:
            raise _multilabel(classes)
        if threshold is not None:
            raise GraphError(f"the network has its own threshold, {found.threshold:g}: leave THRESHOLD= (--threshold) out")
        return Scores(found.tensor, 2, found.threshold, flat, notes)
    if classes > 1:
        if not found.argmax and (found.squashed == "Sigmoid" or _independent(values)):
            raise _multilabel(classes)
        if threshold is not None:
            raise GraphError(f"the network has {classes} classes: THRESHOLD= (--threshold) is for networks of one channel")
        return Scores(found.tensor, classes, notes=notes)
    limit = _foreground(found, values, threshold)
    note = f"the network has one channel: a score above {limit:g} means class 1; THRESHOLD= (--threshold) changes that"
    return Scores(found.tensor, 2, limit, flat, (*notes, note))


def deciding(network: ModelProto) -> str:
    """The name of the scores, without a look at what they are. Raises GraphError."""
    return _searched(network, output(network)[0]).tensor


def _foreground(found: Found, values: npt.NDArray[np.float32], threshold: float | None) -> float:
    """The threshold on a single channel. Raises GraphError if nobody can tell it."""
    if found.argmax:
        raise GraphError(f"the network has one channel, and an argmax over one channel always gives class 0: {AGAIN}")
    if found.squashed == "Softmax":
        raise GraphError(f"the network has one channel, and a softmax over one channel always gives 1: {AGAIN}")
    if found.squashed == "Sigmoid" and threshold is not None and not 0 < threshold < 1:
        raise GraphError(
            f"the network's scores come from a sigmoid: THRESHOLD= (--threshold) must be between 0 and 1, not {threshold:g}"
        )
    if threshold is not None:
        return threshold
    if found.squashed == "Sigmoid":
        return 0.5
    if values.min() >= 0 or values.max() <= 0:
        sign = "negative" if values.min() >= 0 else "positive"
        raise GraphError(
            f"the network has one channel, whose scores are never {sign} but come from no sigmoid: say with THRESHOLD="
            " (--threshold) above which score a pixel is foreground"
        )
    return 0.0


def _independent(values: npt.NDArray[np.float32]) -> bool:
    """Whether the channels look like probabilities that are not shares of a whole."""
    return bool(values.min() >= 0 and values.max() <= 1 and not np.allclose(values.sum(axis=1), 1, atol=1e-3))


def _multilabel(classes: int) -> GraphError:
    return GraphError(
        f"the network is multi-label: each of its {classes} channels says yes or no, so a pixel may have several classes, but a"
        " label map holds only one. If the classes exclude each other, export it again with --output_op argmax"
    )


def output(network: ModelProto) -> tuple[ValueInfoProto, tuple[str, ...]]:
    """The output with class ids or scores, and notes for the user.

    It is the only one, or the only one of integers from an argmax, or else the first, which PaddleX and PaddleSeg take, too:
    networks that were trained with auxiliary heads are exported with these behind it. Raises GraphError.
    """
    outputs = list(network.graph.output)
    if not outputs:
        raise GraphError("the network returns nothing: convert it again")
    if len(outputs) == 1:
        return outputs[0], ()
    made_by = makers(network)
    ids = [each for each in outputs if each.type.tensor_type.elem_type not in FLOATS and _argmax(made_by, each.name)]
    taken = ids[0] if len(ids) == 1 else outputs[0]
    if len(ids) > 1 and taken not in ids:
        raise GraphError(
            f"the network returns {_named(outputs)}: nobody can tell which has the class ids. Export it with one of them"
        )
    return taken, (f"the network returns {_named(outputs)}: {taken.name} is taken, the rest is dropped",)


def _named(outputs: list[ValueInfoProto]) -> str:
    return ", ".join(f"{output.name} ({_kind(output)})" for output in outputs)


def _kind(output: ValueInfoProto) -> str:
    return str(TensorProto.DataType.Name(output.type.tensor_type.elem_type)).lower()


def _searched(network: ModelProto, output: ValueInfoProto) -> Found:
    made_by = makers(network)
    argmax = _argmax(made_by, output.name)
    if argmax is not None:  # ids may come as floats
        return _of_argmax(made_by, argmax)
    node = _before(made_by, output.name, PASSING)
    compared = _compared(network, made_by, node)
    if compared is not None:
        return compared
    if output.type.tensor_type.elem_type in FLOATS:
        return _unsquashed(made_by, output.name)
    kind = "nothing" if node is None else "a cast to bool" if node.op_type == "ArgMax" else node.op_type
    raise GraphError(f"the network's class ids come from {kind}, not from an ArgMax over channels or a threshold: {AGAIN}")


def _before(made_by: dict[str, NodeProto], tensor: str, passing: tuple[str, ...]) -> NodeProto | None:
    """The node that computes a tensor, before those that only pass it on."""
    node = made_by.get(tensor)
    while node is not None and node.op_type in passing:
        node = made_by.get(node.input[0])
    return node


def _argmax(made_by: dict[str, NodeProto], tensor: str) -> NodeProto | None:
    """The ArgMax behind a tensor of ids; None if there is none, or if a cast to bool merges the classes."""
    node = made_by.get(tensor)
    while node is not None and node.op_type in PASSING:
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.BOOL:
            return None
        node = made_by.get(node.input[0])
    return node if node is not None and node.op_type == "ArgMax" else None


def _of_argmax(made_by: dict[str, NodeProto], node: NodeProto) -> Found:
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    scores = node.input[0]
    turned = made_by.get(scores)
    if axis in (3, -1) and turned is not None and turned.op_type == "Transpose" and _order(turned) == TO_LAST:
        scores = turned.input[0]
    elif axis not in (1, -3):
        raise GraphError(f"the network's ArgMax is over axis {axis}, not over the channels, axis 1")
    return Found(_unsquashed(made_by, scores, sigmoid=False).tensor, argmax=True)


def _unsquashed(made_by: dict[str, NodeProto], tensor: str, *, sigmoid: bool = True) -> Found:
    """Scores before a softmax over channels, which changes no pixel's largest, or behind a sigmoid."""
    node = made_by.get(tensor)
    while node is not None and node.op_type == "Identity":
        tensor = node.input[0]
        node = made_by.get(tensor)
    if node is not None and node.op_type in ("Softmax", "LogSoftmax"):
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1)
        if axis in (1, -3):
            return Found(node.input[0], squashed="Softmax")
    inner = _before(made_by, tensor, KEEPING)
    if sigmoid and inner is not None and inner.op_type in ("Sigmoid", "HardSigmoid"):
        return Found(tensor, squashed="Sigmoid")
    return Found(tensor)


# By operator: which of the two inputs is larger where the result is true, and whether it may also be equal.
_COMPARISONS = {"Greater": (0, False), "GreaterOrEqual": (0, True), "Less": (1, False), "LessOrEqual": (1, True)}


def _compared(network: ModelProto, made_by: dict[str, NodeProto], node: NodeProto | None) -> Found | None:
    """The scores that a comparison with one number decides on; None if it is no such comparison."""
    if node is None or node.op_type not in _COMPARISONS:
        return None
    larger, or_equal = _COMPARISONS[node.op_type]
    limits = constant(network, made_by, node.input[1 - larger])
    if limits is None or np.unique(limits).size != 1:
        return None
    limit = float(limits.flat[0])
    below = float(np.nextafter(np.float32(limit), np.float32(-math.inf))) if or_equal else limit
    return Found(node.input[larger], threshold=below)


def constant(network: ModelProto, made_by: dict[str, NodeProto], tensor: str) -> npt.NDArray[Any] | None:
    """The values of a constant tensor, before it is expanded; None if it is not constant."""
    held = next((each for each in network.graph.initializer if each.name == tensor), None)
    node = made_by.get(tensor)
    while held is None and node is not None and node.op_type in ("Cast", "Identity", "Expand", "Constant"):
        if node.op_type == "Constant":
            held = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
            break
        held = next((each for each in network.graph.initializer if each.name == node.input[0]), None)
        node = made_by.get(node.input[0])
    return None if held is None else numpy_helper.to_array(held)


def _order(node: NodeProto) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])


def _probed(network: ModelProto, tensor: str, sizes: Sequence[Size]) -> tuple[Size, npt.NDArray[np.float32]]:
    """The first size at which the network runs, and the tensor for a random image of it.

    The network is run because shape inference loses the number of channels.
    """
    probe = ModelProto()
    probe.CopyFrom(network)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_empty_tensor_value_info(tensor))
    session, failures = Session(probe), []
    for size in sizes:
        image = np.random.default_rng(0).normal(0, 1, (1, 3, *reversed(size))).astype(np.float32)
        try:
            found = session.run(image)
            break
        except GraphError as error:
            failures.append(error)
    else:
        raise failures[0]
    if found.dtype.kind != "f":
        raise GraphError(f"the network's class ids come from {found.dtype} numbers that are no scores: {AGAIN}")
    if found.dtype != np.float32:
        raise GraphError(
            f"the network's scores are {found.dtype}, not float32: convert it in float32, and for fp16 pass PRECISION=fp16"
            " (--precision)"
        )
    return size, found


def _channels(probe: Size, shape: tuple[int, ...]) -> int:
    width, height = probe
    if shape == (1, height, width):
        return 1
    if len(shape) != 4 or shape[2:] != (height, width):
        raise GraphError(
            f"the network's scores for a {width}x{height} image have shape {list(shape)}, not one per class and pixel"
        )
    return shape[1]


def makers(network: ModelProto) -> dict[str, NodeProto]:
    """The node that computes each tensor, by the tensor's name."""
    return {output: node for node in network.graph.node for output in node.output}
