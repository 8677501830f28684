"""The tail of a network that is laid out for the CPU, as a graph of its own, for engines that run only what comes before it."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, helper

from semseg_contract.engine import CORE, LOGITS, SIZES

from . import sparse_argmax
from .branches import reads
from .cpu_layout import TURNED
from .graph import needed
from .scores import makers


def tail_of(laid_out: ModelProto) -> ModelProto:
    """LOGITS, float32 [N, C, h, w], and SIZES, int64 [4], to ids. Its metadata names the network's tensor where it begins."""
    made_by = makers(laid_out)
    turned, sized = made_by[TURNED], made_by[sparse_argmax.SIZES]
    core = {id(node) for tensor in (turned.input[0], sized.input[0]) for node in needed(laid_out, tensor)}
    nodes = [node for node in laid_out.graph.node if id(node) not in core and node not in (turned, sized)]
    nodes = [
        helper.make_node("Transpose", [LOGITS], list(turned.output), TURNED, perm=turned.attribute[0].ints),
        helper.make_node("Identity", [SIZES], list(sized.output), sparse_argmax.SIZES),
        *nodes,
    ]
    read = {name for node in nodes for name in reads(node)}
    graph = helper.make_graph(
        nodes,
        "tail",
        [
            helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["batch", "classes", "rows", "columns"]),
            helper.make_tensor_value_info(SIZES, TensorProto.INT64, [4]),
        ],
        [laid_out.graph.output[0]],
        [tensor for tensor in laid_out.graph.initializer if tensor.name in read],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=laid_out.opset_import, ir_version=laid_out.ir_version)
    helper.set_model_props(model, {CORE: turned.input[0]})
    return model
