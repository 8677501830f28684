"""What our servers change in a model's configuration, and what they read from it."""

from __future__ import annotations

import os

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

_CORES_FOR_TWO = 4  # from this many cores on, a second preprocess costs the network little


def adjust(config: ModelConfig) -> None:
    """Run two instances of preprocess if the machine has enough cores, so that one still works while the other is replaced. The
    owner's own settings are kept."""
    if config.backend != "python" or "preprocess" not in config.name:
        return
    groups = config.instance_group
    alone = len(groups) == 1 and groups[0].kind == ModelInstanceGroup.KIND_CPU and groups[0].count <= 1
    if alone and len(os.sched_getaffinity(0)) >= _CORES_FOR_TWO:
        groups[0].count = 2


def instances(config: ModelConfig) -> int:
    """The number of instances that Triton creates, counting a group that does not list its GPUs as one GPU."""
    return sum(max(group.count, 1) * max(len(group.gpus), 1) for group in config.instance_group) or 1
