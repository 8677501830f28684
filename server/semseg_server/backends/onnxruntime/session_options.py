"""Turns a Triton model configuration into ONNX Runtime session options, with the keys of Triton's C++ ONNX Runtime backend.

Source: github.com/triton-inference-server/onnxruntime_backend, README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnxruntime as ort
from cores import cores

Config = Mapping[str, Any]

GRAPH_LEVELS = {
    0: ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
EXECUTION_MODES = {0: ort.ExecutionMode.ORT_SEQUENTIAL, 1: ort.ExecutionMode.ORT_PARALLEL}
# The CUDA provider's options, with ONNX Runtime's names where Triton uses numbers.
CUDA_KEYS: dict[str, dict[str, str]] = {
    "cudnn_conv_algo_search": {"0": "EXHAUSTIVE", "1": "HEURISTIC", "2": "DEFAULT"},
    "gpu_mem_limit": {},
    "arena_extend_strategy": {"0": "kNextPowerOfTwo", "1": "kSameAsRequested"},
    "do_copy_in_default_stream": {},
}
ACCELERATORS = {
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    # The C++ backend refuses these names.
    "cann": "CANNExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
}
# Keys of the Python backend, of the backend `engines`, and of the client's supervisor, to tell copies of a configuration apart.
FOREIGN_KEYS = ("EXECUTION_ENV_PATH", "FORCE_CPU_ONLY_INPUT_TENSORS", "revision", "engine")
UNSUPPORTED_FIELDS = ("sequence_batching", "batch_input", "batch_output", "model_operations")


class Refused(ValueError):
    """This backend cannot honour the configuration; the message names the key."""


@dataclass(frozen=True)
class Settings:
    """What a session is created with. `crew` is how many short runs may share the cores.

    `notes` say what has no effect and why.
    """

    options: ort.SessionOptions
    providers: list[tuple[str, dict[str, str]]]
    run_entries: dict[str, str]
    crew: int
    notes: list[str] = field(default_factory=list)


def settings(config: Config, kind: str, device: int, group: int = 0) -> Settings:
    """The session's settings for an instance of `kind` ("CPU", "GPU" or "MODEL") on GPU `device`. Raises Refused.

    If an accelerator's `device_id` lists several devices, the instance uses the one at the index of its instance `group`.
    """
    for name in UNSUPPORTED_FIELDS:
        if config.get(name):
            raise Refused(f"{name} is not supported by the bundled onnxruntime backend")
    parameters = {key: value["string_value"] for key, value in (config.get("parameters") or {}).items()}
    options = ort.SessionOptions()
    options.graph_optimization_level = _graph_level(config)
    options.intra_op_num_threads = _threads(config)
    for threads in ("intra_op", "inter_op"):  # a spinning thread takes the core that decodes the next image
        options.add_session_config_entry(f"session.{threads}.allow_spinning", "0")
    run_entries: dict[str, str] = {}
    known: dict[str, Callable[[str, str], None]] = {
        # A value that is not positive counts as unset.
        "intra_op_thread_count": lambda key, value: setattr(
            options, "intra_op_num_threads", max(_count(key, value), 0) or options.intra_op_num_threads
        ),
        "inter_op_thread_count": lambda key, value: setattr(options, "inter_op_num_threads", max(_count(key, value), 0)),
        "execution_mode": lambda key, value: setattr(options, "execution_mode", _execution_mode(key, value)),
        "enable_mem_arena": lambda key, value: setattr(options, "enable_cpu_mem_arena", _flag(key, value)),
        "enable_mem_pattern": lambda key, value: setattr(options, "enable_mem_pattern", _flag(key, value)),
        "memory.enable_memory_arena_shrinkage": run_entries.__setitem__,
        "session.use_device_allocator_for_initializers": options.add_session_config_entry,
    }
    cuda = {key: CUDA_KEYS[key].get(value, value) for key, value in parameters.items() if key in CUDA_KEYS}
    notes = []
    if kind == "GPU" and "CUDAExecutionProvider" not in ort.get_available_providers():
        notes.append("runs on the CPU: the installed ONNX Runtime has no CUDAExecutionProvider")
        kind = "CPU"
    for key, value in parameters.items():
        if key in known:
            known[key](key, value)
        elif key in CUDA_KEYS and kind != "GPU":
            notes.append(f"parameter {key} has no effect: this instance does not run on a GPU")
        elif key not in CUDA_KEYS and key not in FOREIGN_KEYS:
            notes.append(f"parameter {key} is unknown to the onnxruntime backend and has no effect")
    providers, ignored = _accelerators(config, kind, device, group)
    if kind == "GPU":
        accelerated = providers.get("CUDAExecutionProvider", {})
        providers["CUDAExecutionProvider"] = {"device_id": str(device), **cuda, **accelerated}
    providers["CPUExecutionProvider"] = {}
    arranged = "intra_op_thread_count" in parameters or options.execution_mode != ort.ExecutionMode.ORT_SEQUENTIAL
    crew = 1 if arranged or len(providers) > 1 else options.intra_op_num_threads
    if crew > 1 and options.enable_cpu_mem_arena:
        options.add_session_config_entry("session.use_env_allocators", "1")
    return Settings(options, list(providers.items()), run_entries, crew, notes + ignored)


def check_started(chosen: Settings, started: Sequence[str]) -> None:
    """Raises Refused if ONNX Runtime started without one of the providers: it would run on the CPU instead."""
    for provider, _ in chosen.providers:
        if provider not in started:
            raise Refused(f"ONNX Runtime could not start {provider}: see its own messages above; it started {', '.join(started)}")


def _threads(config: Config) -> int:
    """The cores divided among the instances. By default, ONNX Runtime gives each instance all cores and pins threads to them."""
    groups = config.get("instance_group") or []
    instances = sum(int(group.get("count", 1)) * max(1, len(group.get("gpus") or [])) for group in groups)
    return max(1, cores() // max(1, instances))


def _graph_level(config: Config) -> ort.GraphOptimizationLevel:
    level = int((config.get("optimization") or {}).get("graph", {}).get("level", 0))
    return GRAPH_LEVELS.get(level, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)


def _execution_mode(key: str, value: str) -> ort.ExecutionMode:
    mode = EXECUTION_MODES.get(_count(key, value))
    if mode is None:
        raise Refused(f"parameter {key} must be 0 (sequential) or 1 (parallel), not {value!r}")
    return mode


def _count(key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Refused(f"parameter {key} must be a whole number, not {value!r}") from None


def _flag(key: str, value: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in words:
        raise Refused(f"parameter {key} must be 1 or 0, not {value!r}")
    return words[value.lower()]


def _accelerators(config: Config, kind: str, device: int, group: int) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The execution providers that the configuration requests for `kind`, with their options, and notes on the others."""
    groups = (config.get("optimization") or {}).get("execution_accelerators") or {}
    own, other = ("gpu", "cpu") if kind == "GPU" else ("cpu", "gpu")
    ignored = [
        f"{other}_execution_accelerator {each['name']} has no effect: this instance runs on {'a' if own == 'gpu' else 'no'} GPU"
        for each in groups.get(f"{other}_execution_accelerator") or []
    ]
    providers = {}
    for each in groups.get(f"{own}_execution_accelerator") or []:
        provider = ACCELERATORS.get(each["name"])
        if provider is None:
            raise Refused(f"execution accelerator {each['name']!r} is not one of {', '.join(ACCELERATORS)}")
        if provider not in ort.get_available_providers():
            available = ", ".join(ort.get_available_providers())
            raise Refused(f"execution accelerator {each['name']!r} needs {provider}; the installed ONNX Runtime has {available}")
        options = dict(each.get("parameters") or {})
        if each["name"] == "tensorrt":
            options = dict(filter(None, (_tensorrt_option(*item) for item in options.items())))
        if kind == "GPU":
            options = {"device_id": str(device), **options}
        elif "device_id" in options:
            options["device_id"] = _own(options["device_id"], group)
        providers[provider] = options
    return providers, ignored


def _own(device_ids: str, group: int) -> str:
    """The device in "0,1" that belongs to instance `group`; a single device belongs to all groups."""
    ids = [each.strip() for each in device_ids.split(",")]
    if not all(each.isdecimal() for each in ids):
        raise Refused(f"device_id must be a whole number, or several separated by commas, not {device_ids!r}")
    if len(ids) > 1 and group >= len(ids):
        raise Refused(f"device_id {device_ids!r} has no device for instance group {group}: list one per group")
    return ids[group] if len(ids) > 1 else ids[0]


def _tensorrt_option(key: str, value: str) -> tuple[str, str] | None:
    """ONNX Runtime's name and value for one of Triton's TensorRT settings; None if the value is the default anyway."""
    if key == "precision_mode":
        precision = value.lower()
        if precision not in ("fp32", "fp16", "bf16", "int8"):
            raise Refused(f"precision_mode must be FP32, FP16, BF16 or INT8, not {value!r}")
        return None if precision == "fp32" else (f"trt_{precision}_enable", "1")
    if key == "max_workspace_size_bytes":
        return "trt_max_workspace_size", value
    return key, value
