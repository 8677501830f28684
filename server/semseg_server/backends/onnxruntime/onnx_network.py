"""A network on ONNX Runtime: Triton's `onnxruntime` backend as a Python-based backend.

Serves the same `backend: "onnxruntime"` configuration as the C++ backend in NVIDIA's image. It completes inputs and outputs from
the ONNX file, creates a session from the configuration's keys, and runs the requests of a batch together.
Source: github.com/triton-inference-server/backend, docs/python_based_backends.md.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import weakref
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb
from crew import Crew
from numpy.typing import NDArray
from session_options import Refused, Settings, check_started, settings

Tensors = dict[str, NDArray[Any]]

DEFAULT_MAX_BATCH_SIZE = 4  # Triton's own default, for a model that can batch but sets no size

TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}


class OnnxNetwork:
    engine = "onnxruntime"  # as errors name it
    parallel = True  # whether it may run several images at once

    @staticmethod
    def auto_complete_config(auto_complete_model_config: pb.ModelConfig) -> pb.ModelConfig:
        """Fill in what the configuration leaves out (batching, inputs, outputs), as the C++ backend does."""
        config = auto_complete_model_config.as_dict()
        if config["input"] and config["output"]:
            return auto_complete_model_config
        session = ort.InferenceSession(model_file(config), _unoptimised(), providers=["CPUExecutionProvider"])
        inputs, outputs = session.get_inputs(), session.get_outputs()
        batches = all(node.shape and not isinstance(node.shape[0], int) for node in [*inputs, *outputs])
        if config["max_batch_size"] and not batches:
            raise pb.TritonModelException("max_batch_size is set, but the model's first dimensions are not all dynamic")
        if batches and not config["max_batch_size"]:
            auto_complete_model_config.set_max_batch_size(DEFAULT_MAX_BATCH_SIZE)
            pb.Logger.log_warn(f"{config['name']}: max_batch_size is not set; using {DEFAULT_MAX_BATCH_SIZE}")
        if batches and not config.get("sequence_batching") and not config.get("dynamic_batching"):
            auto_complete_model_config.set_dynamic_batching()
        for node in [*inputs, *outputs]:
            if batches and len(node.shape) == 1:  # needs a reshape, which Triton does not accept from Python backends
                raise pb.TritonModelException(f"{node.name} has one value per row: write inputs and outputs into config.pbtxt")
        if not config["input"]:
            for node in inputs:
                auto_complete_model_config.add_input(description(node, batches))
        if not config["output"]:
            for node in outputs:
                auto_complete_model_config.add_output(description(node, batches))
        return auto_complete_model_config

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.lock, self.narrow = Lock(), None  # for `on_one_thread`
        self.settings = partial(
            settings,
            config,
            args["model_instance_kind"],
            int(args["model_instance_device_id"]),
            instance_group(args["model_instance_name"]),
        )
        try:
            chosen = self.settings()
            for note in chosen.notes:
                pb.Logger.log_warn(f"{config['name']}: {note}")
            self.load(config, chosen)
        except Refused as error:
            raise pb.TritonModelException(f"{config['name']}: {error}") from error
        self.run_options = run_options(chosen)
        self.input_names = [each["name"] for each in config["input"]]
        self.batches = config["max_batch_size"] > 0
        self.crew = Crew(chosen.crew if self.parallel else 1)

    def load(self, config: dict[str, Any], chosen: Settings) -> None:
        """Start the network. Raises Refused, TritonModelException."""
        file = model_file(config)
        self.file = self.kept(file)
        self.session = started(file, chosen)
        check(config, self.session)

    def kept(self, file: Path) -> Path:
        """A name of this file under which it can be opened even after its version is deleted or replaced."""
        descriptor = os.open(file, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        return Path(f"/proc/self/fd/{descriptor}")

    def execute(self, requests: list[pb.InferenceRequest]) -> list[pb.InferenceResponse] | None:
        inputs = [self.inputs(request) for request in requests]
        size = sum(each.nbytes for of_request in inputs for each in of_request.values())
        if self.crew.shares(size):
            self.crew.hand(partial(self.send, requests, inputs))
            return None
        return self.crew.alone(partial(self.answers, requests, inputs), size)

    def send(self, requests: list[pb.InferenceRequest], inputs: list[Tensors], crowded: bool) -> None:
        try:
            for request, answer in zip(requests, self.answers(requests, inputs, crowded), strict=True):
                request.get_response_sender().send(answer, flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
        except Exception as error:  # noqa: BLE001 - such as a full /dev/shm
            # Nobody could answer the request any more. Triton fails the requests of a process that ends.
            pb.Logger.log_error(f"this process ends, because it cannot hand over an answer: {error}")
            os._exit(1)

    def answers(self, requests: list[pb.InferenceRequest], inputs: list[Tensors], crowded: bool) -> list[pb.InferenceResponse]:
        names = [request.requested_output_names() for request in requests]
        if self.batches and len(requests) > 1:
            try:
                return self.together(names, inputs, crowded)
            except Exception as error:  # noqa: BLE001 - one bad request must not fail its neighbours
                pb.Logger.log_warn(f"a batch of {len(requests)} failed, running its requests one by one: {error}")
        return [self.alone(wanted, each, crowded) for wanted, each in zip(names, inputs, strict=True)]

    def alone(self, names: Sequence[str], inputs: Tensors, crowded: bool) -> pb.InferenceResponse:
        try:
            outputs = self.run(names, inputs, crowded)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors share no base class
            return pb.InferenceResponse(error=pb.TritonError(f"{self.engine}: {error}"))
        return response(names, outputs)

    def together(self, wanted: Sequence[Sequence[str]], inputs: list[Tensors], crowded: bool) -> list[pb.InferenceResponse]:
        names = sorted({name for each in wanted for name in each})
        joined = {name: np.concatenate([each[name] for each in inputs]) for name in self.input_names}
        outputs = dict(zip(names, self.run(names, joined, crowded), strict=True))
        ends = np.cumsum([len(each[self.input_names[0]]) for each in inputs])
        starts = ends - [len(each[self.input_names[0]]) for each in inputs]
        return [
            response(each, [outputs[name][start:end] for name in each])
            for each, start, end in zip(wanted, starts, ends, strict=True)
        ]

    def inputs(self, request: pb.InferenceRequest) -> Tensors:
        return {name: pb.get_input_tensor_by_name(request, name).as_numpy() for name in self.input_names}

    def run(self, names: Sequence[str], inputs: Tensors, crowded: bool) -> list[NDArray[Any]]:
        session = self.on_one_thread() if crowded else self.session
        return session.run(list(names), inputs, self.run_options)  # type: ignore[no-any-return]

    def on_one_thread(self) -> ort.InferenceSession:
        """A second session, created when it is first needed, whose runs use no thread but their caller's."""
        with self.lock:
            if self.narrow is None:
                chosen = self.settings()
                chosen.options.intra_op_num_threads = 1
                self.narrow = started(self.file, chosen)
        return self.narrow

    def finalize(self) -> None:
        self.crew.rest()


# One arena for both sessions (session.use_env_allocators): with one each, a network keeps the memory of a third image at work.
ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT), None
)


def started(file: Path, chosen: Settings) -> ort.InferenceSession:
    """A session for an ONNX file. Raises Refused."""
    # By default, ONNX Runtime falls back to the CPU and says so only on standard output.
    session = ort.InferenceSession(file, chosen.options, providers=chosen.providers, enable_fallback=False)
    check_started(chosen, session.get_providers())
    trim()
    return session


def trim() -> None:
    """Return to the kernel what loading and laying out the weights took: more than the weights themselves."""
    ctypes.CDLL(None).malloc_trim(0)


def response(names: Sequence[str], outputs: Sequence[NDArray[Any]]) -> pb.InferenceResponse:
    return pb.InferenceResponse([pb.Tensor(name, output) for name, output in zip(names, outputs, strict=True)])


def instance_group(instance: str) -> int:
    """Triton names an instance `<group>_<number>`, and an unnamed group `<model>_<number>`; other names count as group 0."""
    found = re.search(r"_(\d+)_\d+$", instance)
    return int(found[1]) if found else 0


def run_options(chosen: Settings) -> ort.RunOptions:
    options = ort.RunOptions()
    for key, value in chosen.run_entries.items():
        options.add_run_config_entry(key, value)
    return options


def model_file(config: dict[str, Any]) -> Path:
    """`default_model_filename`, or model.onnx, in the version's folder. If that is a folder, the model.onnx in it."""
    path = Path(pb.get_model_dir(), config.get("default_model_filename") or "model.onnx")
    if path.is_dir():
        path /= "model.onnx"
    if not path.exists():
        raise pb.TritonModelException(f"{config['name']}: {path} does not exist")
    return path


def _unoptimised() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return options


def description(node: ort.NodeArg, batches: bool) -> dict[str, Any]:
    """An input or output of the ONNX file in Triton's terms; unknown dimensions are -1, the batch dimension is left out."""
    if node.type not in TYPES:
        raise pb.TritonModelException(f"{node.name} is a {node.type}, which this backend does not support")
    dims = [dim if isinstance(dim, int) else -1 for dim in node.shape[1 if batches else 0 :]]
    return {"name": node.name, "data_type": TYPES[node.type], "dims": dims or [1]}


def check(config: dict[str, Any], session: ort.InferenceSession) -> None:
    """Compares the configuration with the ONNX file. Raises TritonModelException naming what differs."""
    for field, nodes, complete in (("input", session.get_inputs(), True), ("output", session.get_outputs(), False)):
        described = {node.name: description(node, config["max_batch_size"] > 0) for node in nodes}
        given = {entry["name"]: entry for entry in config[field]}
        unknown, missing = sorted(given.keys() - described.keys()), sorted(described.keys() - given.keys())
        if unknown or (complete and missing):
            raise pb.TritonModelException(
                f"{config['name']}: the configuration's {field}s are {sorted(given)}, the ONNX file's {sorted(described)}"
            )
        for name, entry in given.items():
            found = described[name]
            if entry["data_type"] != found["data_type"] or not _fits(entry, found):
                raise pb.TritonModelException(
                    f"{config['name']}: {field} {name} is {entry['data_type']} {entry['dims']} in the configuration and "
                    f"{found['data_type']} {found['dims']} in the ONNX file"
                )


def _fits(entry: dict[str, Any], found: dict[str, Any]) -> bool:
    if entry.get("reshape"):
        return True  # the model sees a different shape from `dims`
    dims = [int(dim) for dim in entry["dims"]]
    return len(dims) == len(found["dims"]) and all(
        -1 in pair or pair[0] == pair[1] for pair in zip(dims, found["dims"], strict=True)
    )
