"""Sets in a network's configuration where it runs, and which of its files is served there."""

from __future__ import annotations

from collections.abc import Sequence

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from .names import ANY_DEVICE, CPU_ONLY, ENGINE, ENGINES, ONNXRUNTIME

Group = tuple[int, Sequence[int]]  # a kind of ModelInstanceGroup, and the numbers of the GPUs


def put_on(config: ModelConfig, groups: Sequence[Group]) -> None:
    """Place the network on these groups, with as many instances in each as it had before."""
    count = max((group.count for group in config.instance_group), default=1)
    del config.instance_group[:]
    config.instance_group.extend(ModelInstanceGroup(count=count, kind=kind, gpus=gpus) for kind, gpus in groups)


def choose_file(config: ModelConfig, laid_out: bool) -> None:
    """Serve the right file, on the right backend, for where the network runs. A file that the owner has chosen is kept.

    `laid_out` says whether the served versions have a file for ONNX Runtime's own CPU provider. On anything else, that file
    gives wrong results without an error.
    """
    if config.default_model_filename in ("", ANY_DEVICE, CPU_ONLY):
        config.default_model_filename = CPU_ONLY if laid_out and _is_on_cpu(config) else ANY_DEVICE
    engine = ENGINE in config.parameters and config.default_model_filename == CPU_ONLY
    config.backend = ENGINES if engine else ONNXRUNTIME


def _is_on_cpu(config: ModelConfig) -> bool:
    accelerated = config.optimization.execution_accelerators.cpu_execution_accelerator
    return not accelerated and all(group.kind == ModelInstanceGroup.KIND_CPU for group in config.instance_group)
