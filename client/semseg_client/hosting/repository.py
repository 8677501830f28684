"""Reads a model repository, and places networks in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup, ModelOptimizationPolicy

from semseg_contract import config_file
from semseg_contract.config_file import is_segmentation
from semseg_contract.lock import staging
from semseg_contract.names import CONFIG, CPU_ONLY, SHARED, network_of
from semseg_contract.placement import choose_file, put_on

from ..device import ACCELERATORS, Device, accelerator
from ..errors import ServingError
from ..files import write_whole

_SHARED_MODELS = Path(__file__).with_name("shared_models")


def exported_models(repository: Path) -> list[str]:
    """The names of the models in a repository that clients can call.

    Raises:
        ServingError: there is none, or a config.pbtxt cannot be read.
    """
    entries = [path.parent.name for path in sorted(repository.glob(f"*/{CONFIG}"))]
    models = [name for name in entries if is_segmentation(configuration(repository, name))]
    if not models:
        raise ServingError(f"no model in {repository}; export one: make export MODEL=PP-LiteSeg-T")
    return models


def is_there(repository: Path, name: str) -> bool:
    """Whether a repository has an entry of that name."""
    return (repository / name / CONFIG).is_file()


def check_exported(repository: Path, model: str) -> None:
    """Raise ServingError, with what to do, if there is no such model in the repository."""
    if not is_there(repository, model):
        raise ServingError(f"{model} is not in {repository}; export it: make export MODEL={model}")


def place(repository: Path, model: str, device: Device, provider: str) -> None:
    """Write into the network's configuration where it runs (docs/contract.md). `provider` is ONNX Runtime's.

    Other settings of the owner are kept where they still make sense.

    Raises:
        ServingError: the model is not there, or its configuration cannot be read.
    """
    check_exported(repository, model)
    entry = repository / network_of(model)
    before = _read(entry / CONFIG)
    config = ModelConfig()
    config.CopyFrom(before)
    groups = [(getattr(ModelInstanceGroup, kind), gpus) for kind, gpus in device.instance_groups()]
    if [(group.kind, list(group.gpus)) for group in config.instance_group] != groups:
        put_on(config, groups)
    _accelerate(config, accelerator(provider), device)
    versions = config.version_policy.specific.versions or [0]
    choose_file(config, all((entry / str(version) / CPU_ONLY).is_file() for version in versions))
    if config != before:
        write_whole(entry / CONFIG, config_file.text(config))


def _accelerate(config: ModelConfig, name: str, device: Device) -> None:
    """Make `name` the only accelerator of those that stand for a device, or remove them all if Triton places `name` itself."""
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


def add_shared_models(repository: Path) -> None:
    """Copy the models that all others share into a repository that lacks them. It is created if needed.

    Raises:
        OSError: it cannot be written.
    """
    missing = [name for name in SHARED if not is_there(repository, name)]
    if not missing:
        return
    repository.mkdir(parents=True, exist_ok=True)
    with staging(repository) as prepared:
        for name in missing:
            copied = shutil.copytree(_SHARED_MODELS / name, prepared / name, ignore=shutil.ignore_patterns("__pycache__"))
            copied.rename(repository / name)


def configuration(repository: Path, name: str) -> ModelConfig:
    """The configuration of one entry of a repository.

    Raises:
        ServingError: it is not there, or cannot be read.
    """
    return _read(repository / name / CONFIG, allow_unknown=True)


def _read(file: Path, *, allow_unknown: bool = False) -> ModelConfig:
    try:
        return config_file.read(file, allow_unknown=allow_unknown)
    except config_file.UnreadableConfig as error:
        raise ServingError(str(error)) from None
