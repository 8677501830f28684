"""Cuts an exported network for the engines. Runs in the exporting environment.

    python -m bench.engines.split NETWORK PROGRAM OUT IMAGE HEIGHTxWIDTH ...

NETWORK is a version's folder with model_cpu.onnx, PROGRAM the folder of Paddle's own. Writes into OUT: core.onnx, from normalised
pixels to the logits before they are upsampled, tail.onnx, and for each size input-<size>.npy and Paddle's class ids,
paddle/pixels-<size>.npy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

from semseg_contract.engine import CORE
from semseg_export.conversion.graph import HEAD, needed
from semseg_export.conversion.tail import tail_of
from semseg_export.paddle_process import run_module
from semseg_export.runtime import Session


def main() -> None:
    network, program, out, image, *sizes = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    whole = onnx.load(network / "model_cpu.onnx")
    tail = tail_of(whole)
    onnx.save(tail, out / "tail.onnx")
    end = next(each.value for each in tail.metadata_props if each.key == CORE)
    head = [node for node in needed(whole, end) if node.name.startswith(HEAD)]
    entry = head[-1].output[0]
    pixels = cv2.cvtColor(cv2.imread(str(image)), cv2.COLOR_BGR2RGB)
    del whole.graph.output[:]
    whole.graph.output.append(helper.make_tensor_value_info(entry, TensorProto.FLOAT, None))
    prepare = Session(whole)
    for size in map(str, sizes):
        height, width = map(int, size.split("x"))
        scaled = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)[None]
        np.save(out / f"input-{size}.npy", prepare.run(scaled))
        np.save(out / f"pixels-{size}.npy", scaled)
    files = [out / f"pixels-{size}.npy" for size in map(str, sizes)]
    run_module("semseg_export.workers.reference", [program, *files, "--out", out / "paddle", "--logits", "0"], "running Paddle")
    nodes = [node for node in needed(whole, end) if node not in head]
    renamed = {entry: "input", end: "logits"}
    for node in nodes:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    read = {name for node in nodes for name in node.input}
    core = helper.make_graph(
        nodes,
        "core",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "classes", "rows", "columns"])],
        [tensor for tensor in whole.graph.initializer if tensor.name in read],
    )
    onnx.save(helper.make_model(core, opset_imports=whole.opset_import, ir_version=whole.ir_version), out / "core.onnx")


if __name__ == "__main__":
    main()
