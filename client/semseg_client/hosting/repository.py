"""Reads a model repository, and adds the models that all others use."""

from __future__ import annotations

import shutil
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from semseg_contract import config_pbtxt
from semseg_contract.config_pbtxt import is_segmentation
from semseg_contract.lock import staging
from semseg_contract.names import CONFIG, SHARED

from ..errors import ServingError

_SHARED_MODELS = Path(__file__).with_name("shared_models")


def exported_models(repository: Path) -> list[str]:
    """The names of the models in a repository that clients can call.

    Raises:
        ServingError: there are none, or a config.pbtxt cannot be read.
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
    """Raise ServingError, which says what to do, if the repository has no such model."""
    if not is_there(repository, model):
        raise ServingError(f"{model} is not in {repository}; export it: make export MODEL={model}")


def add_shared_models(repository: Path) -> None:
    """Add the models that all others use to a repository that lacks them. The repository is created if needed.

    Raises:
        OSError: the repository cannot be written.
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
        ServingError: it does not exist or cannot be read.
    """
    return read(repository / name / CONFIG, allow_unknown=True)


def read(file: Path, *, allow_unknown: bool = False) -> ModelConfig:
    try:
        return config_pbtxt.read(file, allow_unknown=allow_unknown)
    except config_pbtxt.UnreadableConfig as error:
        raise ServingError(str(error)) from None
