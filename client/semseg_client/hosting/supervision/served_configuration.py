"""What a server of ours changes in a model's configuration, and what it reads from it."""

from __future__ import annotations

import os

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

_CORES_FOR_TWO = 4  # from which a second preprocess costs the network little


def adjust(config: ModelConfig) -> None:
    """While one decoder is being replaced, another goes on, where the machine has room for two. What the owner has set stays."""
    if config.backend != "python" or "preprocess" not in config.name:
        return
    groups = config.instance_group
    alone = len(groups) == 1 and groups[0].kind == ModelInstanceGroup.KIND_CPU and groups[0].count <= 1
    if alone and len(os.sched_getaffinity(0)) >= _CORES_FOR_TWO:
        groups[0].count = 2


def instances(config: ModelConfig) -> int:
    """How many instances Triton makes. On GPUs that are not named it is one at least."""
    return sum(max(group.count, 1) * max(len(group.gpus), 1) for group in config.instance_group) or 1
