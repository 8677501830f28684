"""Entries of the model repository, as docs/contract.md has them: installed whole, and one version of each served.

A model's version n is in three folders: `<MODEL>_network/n`, `<MODEL>/n`, which keeps the ensemble's configuration as it
belongs to that version, and for a network that has images resized `<MODEL>_preprocess/n`. Which version is served stands in
the configurations alone, so that a new version is put in place, and an older one taken back, by replacing these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract import names
from semseg_contract.config_file import text
from semseg_contract.lock import staging
from semseg_contract.names import CONFIG, PREPROCESS, network_of, preprocess_of
from semseg_contract.record import ModelRecord

from ..errors import RepositoryError
from .configuration import STAYS, ensemble_config, network_config, preprocess_config, read
from .placement import Placement


@dataclass(frozen=True)
class Versions:
    """Of one model in a repository, the version that is served and all that are there."""

    served: int
    present: tuple[int, ...]


def check_name(model: str) -> None:
    """Raises RepositoryError if docs/contract.md forbids the name."""
    try:
        names.check_name(model)
    except ValueError as error:
        raise RepositoryError(str(error)) from error


def install(repository: Path, model: str, network: Mapping[str, bytes], record: ModelRecord, placement: Placement = STAYS) -> int:
    """Install the network, files in ONNX's format by their names, as a new version of `model` and have that served; returns
    its number.

    A running server never sees half a model: first the version's folders are renamed in, which changes nothing that is
    served, and then the configurations are replaced. Raises RepositoryError.
    """
    with _changing(repository, f"install {model} into", create=True) as staging:
        version = max([0, *_all_numbers(repository, model)]) + 1
        ensemble = ensemble_config(model, record, version)
        folders: dict[str, Mapping[str, bytes]] = {network_of(model): network}
        if record.resize is not None:
            folders[preprocess_of(model)] = _shared_code(repository)
        folders[model] = {CONFIG: text(ensemble)}
        for name, files in folders.items():
            for file, content in files.items():
                (staging / name / str(version)).mkdir(parents=True, exist_ok=True)
                (staging / name / str(version) / file).write_bytes(content)
        for name, config in _configs(repository, model, ensemble, version, network, placement).items():
            (staging / name / CONFIG).write_bytes(text(config))
        # All is written before the first is moved in; the ensemble, which names the others, comes last.
        known = [name for name in folders if (repository / name).exists()]
        for name in folders:
            part = str(version) if name in known else ""
            (staging / name / part).rename(repository / name / part)
        for name in known:
            (staging / name / CONFIG).replace(repository / name / CONFIG)
    return version


def serve(repository: Path, model: str, version: int) -> None:
    """Have an installed version of `model` served, older or newer than the one that is. Raises RepositoryError."""
    _check_there(repository, model)
    with _changing(repository, f"change {model} in") as staging:
        present = _present(repository, model)
        if version not in present:
            raise RepositoryError(f"{model} has no version {version} in {repository}; there is: {_listed(present)}")
        files = [file.name for file in (repository / network_of(model) / str(version)).iterdir()]
        configs = _configs(repository, model, read(repository / model / str(version) / CONFIG), version, files)
        for name, config in configs.items():
            (staging / name).write_bytes(text(config))
        for name in configs:
            (staging / name).replace(repository / name / CONFIG)


def prune(repository: Path, model: str) -> tuple[int, ...]:
    """Delete every version of `model` but the one that is served; returns their numbers. Raises RepositoryError."""
    _check_there(repository, model)
    with _changing(repository, f"prune {model} in") as staging:
        served = versions(repository, model).served
        others = tuple(version for version in _all_numbers(repository, model) if version != served)
        for version in others:
            for name in _entries(model):
                folder = repository / name / str(version)
                if folder.exists():
                    folder.rename(staging / f"{name}-{version}")
        # Unless the version that is served has a Resize, no version has one now.
        leftover = repository / preprocess_of(model)
        if leftover.exists() and not _numbers(leftover):
            leftover.rename(staging / leftover.name)
    return others


def versions(repository: Path, model: str) -> Versions:
    """Raises RepositoryError if there is no such model, or not a whole one."""
    _check_there(repository, model)
    present = _present(repository, model)
    ensemble = read(repository / model / CONFIG)
    steps = {step.model_name for step in ensemble.ensemble_scheduling.step}
    configs = [ensemble, *(read(repository / name / CONFIG) for name in _entries(model) if name in steps)]
    configured = {number for config in configs for number in config.version_policy.specific.versions or [0]}
    if len(configured) != 1 or not configured <= set(present):
        # As when an export or a change was killed between two configurations.
        there = f"make rollback MODEL={model} VERSION=... (there is {_listed(present)})" if present else "export it again"
        raise RepositoryError(f"{model} in {repository} is half changed: {there}")
    return Versions(configured.pop(), present)


def _check_there(repository: Path, model: str) -> None:
    check_name(model)
    if not (repository / model / CONFIG).is_file():
        raise RepositoryError(f"{model} is not in {repository}; export it: make export MODEL={model}")


def _entries(model: str) -> tuple[str, ...]:
    return network_of(model), preprocess_of(model), model


def _present(repository: Path, model: str) -> tuple[int, ...]:
    """The versions that are whole, in order."""
    networks = _numbers(repository / network_of(model))
    return tuple(number for number in networks if (repository / model / str(number) / CONFIG).is_file())


def _listed(present: tuple[int, ...]) -> str:
    return ", ".join(map(str, present)) or "none"


@contextmanager
def _changing(repository: Path, doing: str, *, create: bool = False) -> Iterator[Path]:
    """A folder to prepare what is then renamed into the repository. Raises RepositoryError for OSError."""
    try:
        if create:
            repository.mkdir(parents=True, exist_ok=True)
        with staging(repository) as folder:
            yield folder
    except OSError as error:
        raise RepositoryError(f"cannot {doing} {repository}: {error}") from error


def _numbers(entry: Path) -> list[int]:
    """The versions in an entry of the repository, in order."""
    return sorted(int(folder.name) for folder in entry.glob("*") if folder.name.isdecimal())


def _all_numbers(repository: Path, model: str) -> list[int]:
    """Those in any of a model's entries, whole or not."""
    return sorted({number for name in _entries(model) for number in _numbers(repository / name)})


def _shared_code(repository: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (repository / PREPROCESS / "1").glob("*.py")}


def _configs(
    repository: Path,
    model: str,
    ensemble: triton.ModelConfig,
    version: int,
    files: Collection[str],
    placement: Placement = STAYS,
) -> dict[str, triton.ModelConfig]:
    """What to write to have a version served: the configurations of its own steps, and the ensemble's, which comes last.

    `files` are those of the network's version."""
    present = repository / network_of(model) / CONFIG
    configs = {network_of(model): network_config(model, version, files, placement, present)}
    if "resize" in ensemble.parameters:
        resize = ensemble.parameters["resize"].string_value
        configs[preprocess_of(model)] = preprocess_config(repository, model, resize, version)
    return {**configs, model: ensemble}
