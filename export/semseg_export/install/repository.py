"""Installs models into the repository, and chooses the served version. docs/contract.md describes the layout.

Version n of a model is in the folders `<MODEL>_network/n`, `<MODEL>/n` (a copy of the ensemble's configuration) and, if the
model has a preparation of its own, `<MODEL>_preprocess/n`. Only the config.pbtxt files say which version is served: replacing
them switches to a new version or back to an older one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract import names
from semseg_contract.config_pbtxt import text
from semseg_contract.limits import MAX_BATCH_SIZE
from semseg_contract.lock import staging
from semseg_contract.names import CONFIG, network_of, preprocess_of
from semseg_contract.record import ModelRecord

from ..errors import RepositoryError
from .configuration import STAYS, ensemble_config, network_config, preprocess_config, read, shared_code
from .placement import Placement


@dataclass(frozen=True)
class Versions:
    """The versions of one model in a repository: the served one and all present ones."""

    served: int
    present: tuple[int, ...]


def check_name(model: str) -> None:
    """Raises RepositoryError if docs/contract.md forbids the name."""
    try:
        names.check_name(model)
    except ValueError as error:
        raise RepositoryError(str(error)) from error


def install(
    repository: Path,
    model: str,
    network: Mapping[str, bytes],
    record: ModelRecord,
    placement: Placement = STAYS,
    max_batch_size: int = MAX_BATCH_SIZE,
) -> int:
    """Install `network`, ONNX files by name, as a new version of `model` and serve it. Returns the version's number.

    A running server never sees half a model: the new folders are renamed into place first, which does not change what is
    served, and the configurations are replaced last. Raises RepositoryError.
    """
    with _changing(repository, f"install {model} into", create=True) as staging:
        version = max([0, *_all_numbers(repository, model)]) + 1
        ensemble = ensemble_config(model, record, version, max_batch_size)
        folders: dict[str, Mapping[str, bytes]] = {network_of(model): network}
        if record.preparation is not None:
            folders[preprocess_of(model)] = shared_code(repository)
        folders[model] = {CONFIG: text(ensemble)}
        for name, files in folders.items():
            for file, content in files.items():
                (staging / name / str(version)).mkdir(parents=True, exist_ok=True)
                (staging / name / str(version) / file).write_bytes(content)
        for name, config in _configs(repository, ensemble, version, network, placement).items():
            (staging / name / CONFIG).write_bytes(text(config))
        # Everything is written before the first rename. The ensemble names the other entries, so it comes last.
        known = [name for name in folders if (repository / name).exists()]
        for name in folders:
            part = str(version) if name in known else ""
            (staging / name / part).rename(repository / name / part)
        for name in known:
            (staging / name / CONFIG).replace(repository / name / CONFIG)
    return version


def serve(repository: Path, model: str, version: int) -> None:
    """Serve another installed version of `model`, older or newer. Raises RepositoryError."""
    _check_there(repository, model)
    with _changing(repository, f"change {model} in") as staging:
        present = _present(repository, model)
        if version not in present:
            raise RepositoryError(f"{model} has no version {version} in {repository}; available: {_listed(present)}")
        files = [file.name for file in (repository / network_of(model) / str(version)).iterdir()]
        configs = _configs(repository, read(repository / model / str(version) / CONFIG), version, files)
        for name, config in configs.items():
            (staging / name).write_bytes(text(config))
        for name in configs:
            (staging / name).replace(repository / name / CONFIG)


def prune(repository: Path, model: str) -> tuple[int, ...]:
    """Delete every version of `model` except the served one. Returns their numbers. Raises RepositoryError."""
    _check_there(repository, model)
    with _changing(repository, f"prune {model} in") as staging:
        served = versions(repository, model).served
        others = tuple(version for version in _all_numbers(repository, model) if version != served)
        for version in others:
            for name in _entries(model):
                folder = repository / name / str(version)
                if folder.exists():
                    folder.rename(staging / f"{name}-{version}")
        # Only the served version is left. If it has no preparation of its own, this entry is now empty.
        leftover = repository / preprocess_of(model)
        if leftover.exists() and not _numbers(leftover):
            leftover.rename(staging / leftover.name)
    return others


def versions(repository: Path, model: str) -> Versions:
    """The versions of a model. Raises RepositoryError if it is missing or incomplete."""
    _check_there(repository, model)
    present = _present(repository, model)
    ensemble = read(repository / model / CONFIG)
    steps = {step.model_name for step in ensemble.ensemble_scheduling.step}
    configs = [ensemble, *(read(repository / name / CONFIG) for name in _entries(model) if name in steps)]
    configured = {number for config in configs for number in config.version_policy.specific.versions or [0]}
    if len(configured) != 1 or not configured <= set(present):
        # An export or a version change was killed between replacing two configurations.
        there = f"make rollback MODEL={model} VERSION=... (available: {_listed(present)})" if present else "export it again"
        raise RepositoryError(f"{model} in {repository} was only partly changed: {there}")
    return Versions(configured.pop(), present)


def _check_there(repository: Path, model: str) -> None:
    check_name(model)
    if not (repository / model / CONFIG).is_file():
        raise RepositoryError(f"{model} is not in {repository}; export it: make export MODEL={model}")


def _entries(model: str) -> tuple[str, ...]:
    return network_of(model), preprocess_of(model), model


def _present(repository: Path, model: str) -> tuple[int, ...]:
    """The complete versions, in order."""
    networks = _numbers(repository / network_of(model))
    return tuple(number for number in networks if (repository / model / str(number) / CONFIG).is_file())


def _listed(present: tuple[int, ...]) -> str:
    return ", ".join(map(str, present)) or "none"


@contextmanager
def _changing(repository: Path, doing: str, *, create: bool = False) -> Iterator[Path]:
    """A folder for writing files that are then renamed into the repository. Turns OSError into RepositoryError."""
    try:
        if create:
            repository.mkdir(parents=True, exist_ok=True)
        with staging(repository) as folder:
            yield folder
    except OSError as error:
        raise RepositoryError(f"cannot {doing} {repository}: {error}") from error


def _numbers(entry: Path) -> list[int]:
    """The versions of one repository entry, in order."""
    return sorted(int(folder.name) for folder in entry.glob("*") if folder.name.isdecimal())


def _all_numbers(repository: Path, model: str) -> list[int]:
    """The versions in any of a model's entries, complete or not."""
    return sorted({number for name in _entries(model) for number in _numbers(repository / name)})


def _configs(
    repository: Path, ensemble: triton.ModelConfig, version: int, files: Collection[str], placement: Placement = STAYS
) -> dict[str, triton.ModelConfig]:
    """The configurations that serve a version, by entry name, the ensemble's last. `files` names the network's files."""
    network = network_of(ensemble.name)
    configs = {network: network_config(ensemble, version, files, placement, repository / network / CONFIG)}
    preprocess = preprocess_config(repository, ensemble, version)
    if preprocess is not None:
        configs[preprocess.name] = preprocess
    return {**configs, ensemble.name: ensemble}
