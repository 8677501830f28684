"""Reads a model repository, and adds the models that all others use."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from semseg_contract import config_pbtxt
from semseg_contract.config_pbtxt import is_segmentation
from semseg_contract.lock import staging
from semseg_contract.names import CONFIG, SHARED
from semseg_contract.official import OFFICIAL, similar

from ..errors import ServingError

_HOW_TO_LOWER = {"int8": "int8 --calibration FOLDER (about 50 images like yours)", "fp16": "fp16 --device gpu"}
_SHARED_MODELS = Path(__file__).with_name("shared_models")


def exported_models(repository: Path) -> list[str]:
    """The names of the models in a repository that clients can call; none if there is no such folder.

    Raises:
        ServingError: a config.pbtxt cannot be read.
    """
    entries = [path.parent.name for path in sorted(repository.glob(f"*/{CONFIG}"))]
    return [name for name in entries if is_segmentation(configuration(repository, name))]


def is_there(repository: Path, name: str) -> bool:
    """Whether a repository has an entry of that name.

    Raises:
        ServingError: the repository cannot be read, or no entry can have this name.
    """
    try:
        return (repository / name / CONFIG).is_file()
    except OSError as error:
        raise ServingError(f"{error.filename}: {error.strerror}") from None


def check_exported(repository: Path, model: str) -> None:
    """Raise ServingError, which says what to do, if the repository has no such model."""
    if not is_there(repository, model):
        raise ServingError(_missing(repository, model))
    if not is_segmentation(configuration(repository, model)):
        known = ", ".join(exported_models(repository)) or "none yet"
        raise ServingError(f"{model} in {repository} is a part of models, not one itself; the models there: {known}")


def _missing(repository: Path, model: str) -> str:
    base, _, precision = model.rpartition("-")
    if base in OFFICIAL and precision in _HOW_TO_LOWER:
        return f"{model} is not in {repository}; make it: semseg export {base} --precision {_HOW_TO_LOWER[precision]}"
    exported: list[str] = []
    with suppress(ServingError):
        exported = exported_models(repository)
    meant = similar(model, dict.fromkeys([*exported, *OFFICIAL]))
    if model.strip(".") and Path(model).is_dir():
        meant.append(f"./{model} for the weights in that folder")
    there = f"{repository} has {', '.join(exported) or 'no model'}; PaddleX's networks are {', '.join(OFFICIAL)}."
    hint = f"did you mean {', or '.join(meant)}?" if meant else there
    return (
        f"{model!r} is neither a model in {repository} nor a network of PaddleX's; {hint}"
        " To export your own weights: semseg export NAME --weights FOLDER"
    )


def add_shared_models(repository: Path) -> None:
    """Add the models that all others use to a repository that lacks them. The repository is created if needed.

    Raises:
        OSError: the repository cannot be written.
    """
    if not _lacking(repository):
        return
    repository.mkdir(parents=True, exist_ok=True)
    with staging(repository) as prepared:
        for name in _lacking(repository):  # another process may have added them meanwhile
            copied = shutil.copytree(_SHARED_MODELS / name, prepared / name, ignore=shutil.ignore_patterns("__pycache__"))
            copied.rename(repository / name)


def _lacking(repository: Path) -> list[str]:
    return [name for name in SHARED if not is_there(repository, name)]


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
