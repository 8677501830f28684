"""What a model repository holds, as far as a server's owner must know."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup, ModelOptimizationPolicy

from .conversation import is_segmentation
from .device import ACCELERATORS, Device, accelerator
from .errors import ServingError
from .files import locked, write_whole

_ANY_DEVICE, _CPU_ONLY = "model.onnx", "model_cpu.onnx"  # the files of a network, as docs/contract.md has them
_SHARED = ("preprocess", "postprocess", "draw")
_COPIES = (  # of the shared models: in the project's folder, or where pip puts them
    Path(__file__).parents[2] / "model_repository",
    Path(sys.prefix, "share", "paddle-semseg-triton", "model_repository"),
)


def exported_models(repository: Path) -> list[str]:
    """The names of the models in a repository that clients can call.

    Raises:
        ServingError: there is none, or a config.pbtxt cannot be read.
    """
    entries = [path.parent.name for path in sorted(repository.glob("*/config.pbtxt"))]
    models = [name for name in entries if is_segmentation(configuration(repository, name))]
    if not models:
        raise ServingError(f"no model in {repository}; export one: make export MODEL=PP-LiteSeg-T")
    return models


def is_there(repository: Path, name: str) -> bool:
    """Whether a repository has an entry of that name."""
    return (repository / name / "config.pbtxt").is_file()


def check_exported(repository: Path, model: str) -> None:
    """Raise ServingError, with what to do, if there is no such model in the repository."""
    if not is_there(repository, model):
        raise ServingError(f"{model} is not in {repository}; export it: make export MODEL={model}")


def place(repository: Path, model: str, device: Device, provider: str) -> None:
    """Write where the model's network runs into its configuration, as docs/contract.md has it; `provider` is ONNX Runtime's.

    What its owner set there stays, as far as it still has a meaning.

    Raises:
        ServingError: the model is not there, or its configuration cannot be read.
    """
    check_exported(repository, model)
    path = repository / f"{model}_network" / "config.pbtxt"
    try:
        before = text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig())
    except (OSError, ValueError, text_format.ParseError) as error:  # a field that is not known here would be lost
        raise ServingError(f"{path}: {error}") from None
    config = ModelConfig()
    config.CopyFrom(before)
    count = max((group.count for group in config.instance_group), default=1)
    kinds = [(getattr(ModelInstanceGroup, kind), gpus) for kind, gpus in device.instance_groups()]
    if [(group.kind, list(group.gpus)) for group in config.instance_group] != kinds:
        del config.instance_group[:]
        config.instance_group.extend(ModelInstanceGroup(count=count, kind=kind, gpus=gpus) for kind, gpus in kinds)
    _accelerate(config, accelerator(provider), device)
    _choose_file(config, path.parent, device)
    if config != before:
        write_whole(path, text_format.MessageToString(config, as_utf8=True).encode())


def _choose_file(config: ModelConfig, entry: Path, device: Device) -> None:
    """Have the file served that is laid out for the CPU, where there is one and no other provider runs it; never on a GPU."""
    if config.default_model_filename not in ("", _ANY_DEVICE, _CPU_ONLY):  # its owner's own
        return
    laid_out = all((entry / str(version) / _CPU_ONLY).is_file() for version in config.version_policy.specific.versions or [0])
    accelerated = config.optimization.execution_accelerators.cpu_execution_accelerator
    chosen = _CPU_ONLY if device.kind == "cpu" and laid_out and not accelerated else _ANY_DEVICE
    if chosen != (config.default_model_filename or _ANY_DEVICE):
        config.default_model_filename = chosen


def _accelerate(config: ModelConfig, name: str, device: Device) -> None:
    """Have `name` the only accelerator of those that a device is placed by; none of them where `name` is Triton's own."""
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
    """Copy the models that all others share into a repository that lacks them; it is made if it is not there.

    Raises:
        OSError: it cannot be written.
        ServingError: this installation has no copy of them.
    """
    missing = [name for name in _SHARED if not is_there(repository, name)]
    if not missing:
        return
    source = next((folder for folder in _COPIES if is_there(folder, _SHARED[0])), None)
    if source is None:
        raise ServingError(f"there is no {', '.join(missing)} in {repository}: copy them from the project's model_repository")
    repository.mkdir(parents=True, exist_ok=True)
    # As the exporter does (semseg_export.repository): put together beside the repository, under a name that it clears away.
    with locked(repository), TemporaryDirectory(prefix=f".{repository.name}-staging-", dir=repository.parent) as staging:
        for name in missing:
            copied = shutil.copytree(source / name, Path(staging, name), ignore=shutil.ignore_patterns("__pycache__"))
            copied.rename(repository / name)


def plain_name(model: str) -> str:
    """The model's name without "(slice)", which in PaddleX's tables tells how the mIoU was measured."""
    return model.removesuffix("(slice)").rstrip()


def configuration(repository: Path, name: str) -> ModelConfig:
    """The configuration of one entry of a repository.

    Raises:
        ServingError: it is not there, or cannot be read.
    """
    path = repository / name / "config.pbtxt"
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig(), allow_unknown_field=True)
    except (OSError, ValueError, text_format.ParseError) as error:
        raise ServingError(f"{path}: {error}") from None
