"""Runs a network's core, from its pixels to the logits before they are upsampled, on OpenVINO.

What comes after it, the tail, is a file of its own (tail.onnx) and stays on ONNX Runtime: it decides with conditions and loops.
The backend `engines` has a copy of this file, letter by letter, because Triton loads it without our packages.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CORE = "core"  # in the metadata of tail.onnx: the tensor of model.onnx where the core ends
LOGITS, SIZES = "logits", "sizes"  # what the tail takes: float32 [N, C, h, w], and the int64 shape [N, H, W, C] to upsample it to
# Kernels that OpenVINO keeps, of all shapes that it has seen. With its own limit, 500 sizes of images take 1 GB.
KERNELS = 64


class Core:
    """The core of a network on `threads` threads; as many Python threads as it has `streams` may call it at once.

    `network` is the ONNX file, `end` the tensor where the core ends. Raises ImportError without OpenVINO, and RuntimeError if
    OpenVINO cannot load the network.
    """

    def __init__(self, network: Path, end: str, threads: int, streams: int = 1) -> None:
        import openvino

        engine = openvino.Core()
        whole = engine.read_model(network)
        ends = [output for node in whole.get_ops() for output in node.outputs() if end in output.get_names()]
        pixels = [each for each in whole.get_parameters() if "pixels" in each.output(0).get_names()]
        if len(ends) != 1 or len(pixels) != 1:
            raise RuntimeError(f"{network.name} has no tensor {end}, or no pixels")
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
        """The logits of pixels [N, H, W, 3]; overwritten by this thread's next call. Raises RuntimeError."""
        if not hasattr(self._own, "request"):
            self._own.request = self._network.create_infer_request()
        logits: NDArray[np.float32] = self._own.request.infer(
            [pixels.astype(self._kind, copy=False)], share_inputs=True, share_outputs=True
        )[0]
        return logits


def sizes(pixels: NDArray[Any], logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """SIZES, for the ids of `pixels`."""
    return np.array([*pixels.shape[:3], logits.shape[1]], np.int64)
