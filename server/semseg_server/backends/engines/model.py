"""Triton's `engines` backend, as a Python-based backend: a network's core on OpenVINO or MNN, its tail on
ONNX Runtime.

It serves a network that the export has found to be faster this way: `backend: "engines"` with the parameter `engine`, and in the
version's folder tail.onnx and the engine's file. To the tail, all other keys mean what they mean to the `onnxruntime` backend
beside this one. Without the engine, or if it cannot load the network, ONNX Runtime runs the whole network.
Source: github.com/triton-inference-server/backend, docs/python_based_backends.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb
from engine import CORE, FILES, LOGITS, SIZES, Core, core, sizes
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).resolve().parents[1] / "onnxruntime"))
from onnx_network import OnnxNetwork, Tensors, started, trim
from session_options import Refused, Settings


class TritonPythonModel(OnnxNetwork):
    def load(self, config: dict[str, Any], chosen: Settings) -> None:
        asked = (config.get("parameters") or {}).get("engine", {}).get("string_value", "")
        if asked not in FILES:
            raise Refused(f"parameter engine must be {', '.join(FILES)}, not {asked!r}")
        names = sorted(each["name"] for field in ("input", "output") for each in config[field])
        if names != ["ids", "lane", "pixels"]:
            raise Refused(f"the engines backend runs networks that take pixels and lane and give ids, not {', '.join(names)}")
        if chosen.providers[0][0] != "CPUExecutionProvider":
            raise Refused('the engines backend runs on the CPU: set backend: "onnxruntime" for other devices')
        self.core: Core | None = None
        try:
            self.load_parts(Path(pb.get_model_dir()), asked, chosen)
        except Exception as error:  # noqa: BLE001 - the engines' errors share no base class, and there is another way to serve
            reason = " ".join(str(error).split())[:500]
            pb.Logger.log_warn(f"{config['name']}: runs on ONNX Runtime, because {asked} cannot run it: {reason}")
            super().load(config, chosen)
        else:
            self.engine = asked

    def load_parts(self, folder: Path, engine: str, chosen: Settings) -> None:
        network, tail = folder / FILES[engine], folder / "tail.onnx"
        self.network, self.file = self.kept(network), self.kept(tail)
        self.session = started(tail, chosen)
        self.end, self.threads = self.session.get_modelmeta().custom_metadata_map[CORE], chosen.options.intra_op_num_threads
        self.narrow_core: Core | None = None
        loaded = core(engine, network, self.end, self.threads)
        trim()
        self.core, self.parallel = loaded, loaded.parallel

    def run(self, names: Sequence[str], inputs: Tensors, crowded: bool) -> list[NDArray[Any]]:
        if self.core is None:
            return super().run(names, inputs, crowded)
        pixels = inputs["pixels"]
        logits = (self.core_on_one_thread() if crowded else self.core)(pixels)
        return super().run(names, {LOGITS: logits, SIZES: sizes(pixels, logits)}, crowded)

    def core_on_one_thread(self) -> Core:
        """A second copy of the core, whose runs use one thread each."""
        with self.lock:
            if self.narrow_core is None:
                self.narrow_core = core(self.engine, self.network, self.end, self.threads, self.threads)
        return self.narrow_core
