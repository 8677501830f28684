"""A network's core as a file of MNN's."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto, TensorProto, helper, save

from ..errors import EngineError
from .branches import reads
from .graph import needed


def write_core(network: ModelProto, end: str, file: Path) -> None:
    """Convert what comes between the pixels of the served graph and the tensor `end`.

    MNN's converter prints a lot and may abort the process. Raises ImportError without MNN, and EngineError.
    """
    # Not MNN.tools and its mnnconvert: they install another package, and tell MNN's makers about this machine and the conversion.
    import _tools

    nodes = needed(network, end)
    read = {name for node in nodes for name in reads(node)}
    core = helper.make_graph(
        nodes,
        "core",
        [network.graph.input[0]],
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", "classes", "rows", "columns"])],
        [tensor for tensor in network.graph.initializer if tensor.name in read],
    )
    source = file.with_suffix(".onnx")
    save(helper.make_model(core, opset_imports=network.opset_import, ir_version=network.ir_version), source)
    _tools.mnnconvert(["", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(file), "--bizCode", "core"])
    if not file.is_file():
        raise EngineError("MNN cannot convert the network")
