"""Runs a network's core, from its pixels to the logits before they are upsampled, on OpenVINO or MNN.

What comes after it, the tail, is a file of its own (tail.onnx) and stays on ONNX Runtime: it decides with conditions and loops.
The backend `engines` has a copy of this file, letter by letter, because Triton loads it without our packages.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# The engines. MNN uses Winograd's algorithm for convolutions, and precise MNN a form of it that rounds less and saves less.
OPENVINO, MNN, MNN_PRECISE = "openvino", "mnn", "mnn-precise"
FILES = {OPENVINO: "model.onnx", MNN: "core.mnn", MNN_PRECISE: "core.mnn"}  # what each reads in the version's folder

PIXELS = "pixels"  # uint8 or float32 [N, H, W, 3]: what the core takes
CORE = "core"  # in the metadata of tail.onnx: the tensor of model.onnx where the core ends
LOGITS, SIZES = "logits", "sizes"  # what the tail takes: float32 [N, C, h, w], and the int64 shape [N, H, W, C] to upsample it to

# Kernels that OpenVINO keeps, of all shapes that it has seen. With its own limit, 500 sizes of images take 1 GB.
KERNELS = 64
# Height and width of the first image that MNN gets. By it, MNN decides for all images how to compute each convolution: if it were
# tiny, large ones would take 1.4 times as long.
FIRST = 512
# MNN's hint for Winograd's algorithm: up to 6x6 results at once with the first value, only 2x2 with the second.
_WINOGRAD, _LARGE, _SMALL = 3, 3, 1


class Core(Protocol):
    """The core of a network on an engine. `parallel` says whether several Python threads may call it at once."""

    parallel: bool

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """The logits of pixels [N, H, W, 3]; overwritten by this thread's next call. Raises RuntimeError."""


def core(engine: str, network: Path, end: str, threads: int, streams: int = 1) -> Core:
    """The core in the file `network`, which ends at the tensor `end`, on `threads` threads, as so many `streams` if parallel.

    Raises ImportError without the engine, and RuntimeError if the engine cannot load the network.
    """
    if engine == OPENVINO:
        return _OpenVino(network, end, threads, streams)
    return _Mnn(network, end, threads, _LARGE if engine == MNN else _SMALL)


class _OpenVino:
    parallel = True

    def __init__(self, network: Path, end: str, threads: int, streams: int) -> None:
        import openvino

        engine = openvino.Core()
        whole = engine.read_model(network)
        ends = [output for node in whole.get_ops() for output in node.outputs() if end in output.get_names()]
        pixels = [each for each in whole.get_parameters() if PIXELS in each.output(0).get_names()]
        if len(ends) != 1 or len(pixels) != 1:
            raise RuntimeError(f"{network.name} has no tensor {end}, or no {PIXELS}")
        options = {
            "INFERENCE_PRECISION_HINT": "f32",  # not bfloat16, where the processor has it
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # the cores belong to the other processes, too
            "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
        }
        self._network = engine.compile_model(openvino.Model(ends, pixels, CORE), "CPU", options)
        self._kind = self._network.input(0).element_type.to_dtype()
        self._own = threading.local()

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        logits: NDArray[np.float32] = self._own.request.infer(
            [pixels.astype(self._kind, copy=False)], share_inputs=True, share_outputs=True
        )[0]
        return logits


class _Mnn:
    parallel = False  # it holds Python's lock while it runs

    def __init__(self, network: Path, end: str, threads: int, winograd: int) -> None:
        import MNN

        self._expr = MNN.expr
        # Kept, because the network does not keep it alive.
        self._runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": threads},))
        self._runtime.set_hint(_WINOGRAD, winograd)
        try:
            self._network = MNN.nn.load_module_from_file(str(network), [PIXELS], [end], runtime_manager=self._runtime)
        except SystemError:  # its message says nothing
            raise RuntimeError(f"{network.name} is missing or damaged, or has no tensor {end}") from None
        entry = self._network.get_info()["inputs"][0]
        self._kind = entry.dtype
        rows, columns = (side if side > 0 else FIRST for side in entry.shape[1:3])
        self(np.zeros((1, rows, columns, 3), np.uint8 if self._kind == self._expr.uint8 else np.float32))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        # MNN's only other layout is its own; it names this one after what most networks take.
        found = self._network.forward([self._expr.const(pixels, list(pixels.shape), self._expr.NCHW, self._kind)])
        if not found:
            raise RuntimeError(f"it cannot run the network on {list(pixels.shape)}")
        logits: NDArray[np.float32] = found[0].read()
        return logits


def sizes(pixels: NDArray[Any], logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """SIZES, for the ids of `pixels`."""
    return np.array([*pixels.shape[:3], logits.shape[1]], np.int64)
