"""Sets the device of a network in its configuration."""

from __future__ import annotations

from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup, ModelOptimizationPolicy

from semseg_contract import config_pbtxt
from semseg_contract.names import CONFIG, CPU_ONLY, network_of
from semseg_contract.placement import choose_file, put_on

from ..device import ACCELERATORS, Device, accelerator
from ..files import write_whole
from .repository import check_exported, read


def place(repository: Path, model: str, device: Device, provider: str) -> None:
    """Set the device of a model's network in its configuration (docs/contract.md). `provider` is ONNX Runtime's name for it.

    The owner's other settings are kept if they still apply.

    Raises:
        ServingError: the model does not exist, or its configuration cannot be read.
    """
    check_exported(repository, model)
    entry = repository / network_of(model)
    before = read(entry / CONFIG)
    config = ModelConfig()
    config.CopyFrom(before)
    groups = [(getattr(ModelInstanceGroup, kind), gpus) for kind, gpus in device.instance_groups()]
    if [(group.kind, list(group.gpus)) for group in config.instance_group] != groups:
        put_on(config, groups)
    _accelerate(config, accelerator(provider), device)
    versions = config.version_policy.specific.versions or [0]
    choose_file(config, all((entry / str(version) / CPU_ONLY).is_file() for version in versions))
    if config != before:
        write_whole(entry / CONFIG, config_pbtxt.text(config))


def _accelerate(config: ModelConfig, name: str, device: Device) -> None:
    """Make `name` the only accelerator that stands for a device. Leave none if Triton itself places networks on that device."""
    accelerators = config.optimization.execution_accelerators
    present = accelerators.cpu_execution_accelerator
    kept = {each.name: each for each in present if each.name == name or each.name not in ACCELERATORS}
    if name in ACCELERATORS:
        chosen = kept.setdefault(name, ModelOptimizationPolicy.ExecutionAccelerators.Accelerator(name=name))
        chosen.parameters["device_id"] = ",".join(map(str, device.ids))
    del present[:]
    present.extend(kept.values())
    if not accelerators.ByteSize():
        config.optimization.ClearField("execution_accelerators")
    if not config.optimization.ByteSize():
        config.ClearField("optimization")
