"""Child process: the core of a network on one engine. Runs in the engines' own environment.

    python -m bench.engines.runner ENGINE FOLDER THREADS

FOLDER has core.onnx. It says "ready" on standard output, or why it is not. Then it answers each line, JSON with `input` (a .npy
file, float32 [1, 3, H, W]) and `output` (where to save the logits, or null), with the milliseconds that the run took and the peak
memory in bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[np.float32]
Run = Callable[[Tensor], Tensor]

NAMES = ("input", "logits")  # of core.onnx
WINOGRAD = 3  # MNN's hint: 3 lets it use F(6,3), smaller values only F(2,3), which rounds less


def onnxruntime(folder: Path, threads: int) -> Run:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.enable_mem_pattern, options.log_severity_level = threads, False, 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(folder / "core.onnx", options, providers=["CPUExecutionProvider"])
    return lambda tensor: session.run(None, {NAMES[0]: tensor})[0]


def openvino(folder: Path, threads: int) -> Run:
    import openvino as ov

    core = ov.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    request = core.compile_model(core.read_model(folder / "core.onnx"), "CPU", options).create_infer_request()
    return lambda tensor: request.infer([tensor], share_inputs=True, share_outputs=True)[0]


def mnn(folder: Path, threads: int, level: int = WINOGRAD) -> Run:
    # Not MNN.tools and its mnnconvert: they install another package, and tell MNN's makers about this machine and the conversion.
    import _tools
    import MNN

    file = folder / "core.mnn"
    if not file.exists():
        _tools.mnnconvert(
            ["", "-f", "ONNX", "--modelFile", str(folder / "core.onnx"), "--MNNModel", str(file), "--bizCode", "bench"]
        )
    runtime = MNN.nn.create_runtime_manager(({"precision": "high", "backend": "CPU", "numThread": threads},))
    runtime.set_hint(WINOGRAD, level)
    network = MNN.nn.load_module_from_file(str(file), [NAMES[0]], [NAMES[1]], runtime_manager=runtime)
    kept = runtime, network  # the network does not keep the other alive
    expr = MNN.expr

    def run(tensor: Tensor) -> Tensor:
        return kept[1].forward([expr.const(tensor, list(tensor.shape), expr.NCHW)])[0].read()  # type: ignore[no-any-return]

    return run


def mnn_precise(folder: Path, threads: int) -> Run:
    return mnn(folder, threads, 1)


def ncnn(folder: Path, threads: int) -> Run:
    import ncnn as engine

    @cache
    def network(height: int, width: int) -> Any:
        """Its converter writes one for each size."""
        place = folder / f"ncnn-{height}x{width}"
        if not place.exists():
            place.mkdir()
            (place / "core.onnx").symlink_to(folder / "core.onnx")
            converter = Path(sysconfig.get_path("platlib"), "pnnx", "pnnx")  # its Python package would import torch
            command: list[str | Path] = [
                converter,
                "core.onnx",
                f"inputshape=[1,3,{height},{width}]f32",
                "fp16=0",
            ]
            subprocess.run(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=600)
        net = engine.Net()
        net.opt.num_threads = threads
        net.load_param(str(place / "core.ncnn.param"))
        net.load_model(str(place / "core.ncnn.bin"))
        return net

    def run(tensor: Tensor) -> Tensor:
        extractor = network(*tensor.shape[2:]).create_extractor()
        extractor.input("in0", engine.Mat(tensor[0]))
        return np.array(extractor.extract("out0")[1])[None]

    return run


ENGINES: dict[str, Callable[[Path, int], Run]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "mnn": mnn,
    "mnn-precise": mnn_precise,
    "ncnn": ncnn,
}


def peak() -> int:
    """The peak memory of this process in bytes (proc(5), VmHWM). getrusage(2) counts the parent's, too."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    engine, folder, threads = sys.argv[1], Path(sys.argv[2]).resolve(), int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the engines print a lot
    try:
        run = ENGINES[engine](folder, threads)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises
        answers.write(f"{type(error).__name__}: {error}".splitlines()[0] + "\n")
        return
    answers.write("ready\n")
    for line in sys.stdin:
        asked = json.loads(line)
        tensor = np.load(asked["input"])
        since = time.perf_counter()
        logits = run(tensor)
        milliseconds = (time.perf_counter() - since) * 1e3
        if asked["output"]:
            np.save(asked["output"], logits)
        answers.write(json.dumps([milliseconds, peak()]) + "\n")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
