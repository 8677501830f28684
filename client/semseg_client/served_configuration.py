"""What a server of ours changes in a model's configuration, and what it reads from it."""

from __future__ import annotations

import os

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from .conversation import OUR_POLICY

_CORES_FOR_TWO = 4  # from which a second preprocess costs the network little
_MOST_WAITING = 128  # images in front of a network, decoded


def adjust(config: ModelConfig) -> None:
    """Add what keeps one bad image or too many of them from stopping everybody. What the owner has set stays."""
    if config.backend == "python" and "preprocess" in config.name:
        _second_instance(config)
    if config.backend == "onnxruntime":
        _bound_queue(config)


def instances(config: ModelConfig) -> int:
    """How many instances Triton makes. On GPUs that are not named it is one at least."""
    return sum(max(group.count, 1) * max(len(group.gpus), 1) for group in config.instance_group) or 1


def _second_instance(config: ModelConfig) -> None:
    """While one decoder is being replaced, the other goes on."""
    groups = config.instance_group
    alone = len(groups) == 1 and groups[0].kind == ModelInstanceGroup.KIND_CPU and groups[0].count <= 1
    if alone and len(os.sched_getaffinity(0)) >= _CORES_FOR_TWO:
        groups[0].count = 2


def _bound_queue(config: ModelConfig) -> None:
    """Callers of gRPC wait in Triton, with their images decoded. Beyond the bound it answers UNAVAILABLE at once."""
    batching = config.dynamic_batching
    if not (batching.HasField("default_queue_policy") or batching.priority_queue_policy or batching.priority_levels):
        batching.default_queue_policy.max_queue_size = _MOST_WAITING
        config.parameters[OUR_POLICY].string_value = "1"
