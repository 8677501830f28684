"""Converts a served graph to float16: half the bytes, and fast arithmetic on a GPU. On a CPU it is slow."""

from __future__ import annotations

from onnx import ModelProto, TensorProto, helper

from semseg_contract.tensors import IDS

from ..conversion.graph import DECISION, HEAD
from ..conversion.scores import makers


def halved(served: ModelProto) -> ModelProto:
    """`served` in float16, except for the normalisation of the pixels and the argmax."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    # Convert only the part between head and tail. If told to skip nodes instead, the converter rounds the tensors between them.
    head = [node for node in served.graph.node if node.name.startswith(HEAD)]
    tail = [node for node in served.graph.node if {DECISION, IDS}.intersection(node.output)]
    entry, logits = head[-1].output[0], makers(served)[DECISION].input[0]
    inner = ModelProto()
    inner.CopyFrom(served)
    del inner.graph.node[:], inner.graph.input[:], inner.graph.output[:]
    inner.graph.node.extend(node for node in served.graph.node if node not in head and node not in tail)
    inner.graph.input.append(helper.make_tensor_value_info(entry, TensorProto.FLOAT, ["batch", 3, "height", "width"]))
    inner.graph.output.append(helper.make_tensor_value_info(logits, TensorProto.FLOAT, None))
    half = convert_float_to_float16(inner, keep_io_types=True)
    constants = {name for node in head for name in node.input}
    model = ModelProto()
    model.CopyFrom(served)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend([*head, *half.graph.node, *tail])
    kept = [tensor for tensor in served.graph.initializer if tensor.name in constants]
    model.graph.initializer.extend([*kept, *(tensor for tensor in half.graph.initializer if tensor.name not in constants)])
    OnnxModel(model).topological_sort()  # the converter puts its casts at the end
    return model
