"""Entries of the model repository, as docs/contract.md has them: installed whole, and one version of each served.

A model's version n is in three folders: `<MODEL>_network/n`, `<MODEL>/n`, which keeps the ensemble's configuration as it
belongs to that version, and for a network that has images resized `<MODEL>_preprocess/n`. Which version is served stands in
the configurations alone, so that a new version is put in place, and an older one taken back, by replacing these.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tritonclient.grpc import model_config_pb2 as triton

from .configuration import CONFIG, SHARED, STAYS, Origin, ensemble_config, network_config, preprocess_config, read, text
from .errors import RepositoryError
from .placement import Placement


@dataclass(frozen=True)
class Versions:
    """Of one model in a repository, the version that is served and all that are there."""

    served: int
    present: tuple[int, ...]


def check_name(model: str) -> None:
    """Raises RepositoryError if docs/contract.md forbids the name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", model):
        raise RepositoryError(f"{model!r} cannot name a model: use letters, digits, '.', '_' and '-', a letter or digit first")
    if model.endswith(("_network", "_preprocess")) or model in SHARED:
        raise RepositoryError(f"{model!r} cannot name a model: {', '.join(SHARED)}, *_network and *_preprocess are taken")


def install(repository: Path, model: str, network: Mapping[str, bytes], origin: Origin, placement: Placement = STAYS) -> int:
    """Install the network, files in ONNX's format by their names, as a new version of `model` and have that served; returns
    its number.

    A running server never sees half a model: first the version's folders are renamed in, which changes nothing that is
    served, and then the configurations are replaced. Raises RepositoryError.
    """
    with _changing(repository, f"install {model} into", create=True) as staging:
        version = max([0, *_all_numbers(repository, model)]) + 1
        ensemble = ensemble_config(model, origin, version)
        folders: dict[str, Mapping[str, bytes]] = {f"{model}_network": network}
        if origin.resize is not None:
            folders[f"{model}_preprocess"] = _shared_code(repository)
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
        files = [file.name for file in (repository / f"{model}_network" / str(version)).iterdir()]
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
        leftover = repository / f"{model}_preprocess"
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
    return f"{model}_network", f"{model}_preprocess", model


def _present(repository: Path, model: str) -> tuple[int, ...]:
    """The versions that are whole, in order."""
    networks = _numbers(repository / f"{model}_network")
    return tuple(number for number in networks if (repository / model / str(number) / CONFIG).is_file())


def _listed(present: tuple[int, ...]) -> str:
    return ", ".join(map(str, present)) or "none"


@contextmanager
def _changing(repository: Path, doing: str, *, create: bool = False) -> Iterator[Path]:
    """A folder to put together in what is then renamed into the repository.

    Beside it, since Triton polls every folder of the repository, hidden or not; and on its file system.
    """
    parent, prefix = repository.resolve().parent, f".{repository.name}-staging-"
    try:
        if create:
            repository.mkdir(parents=True, exist_ok=True)
        with _locked(repository):
            for left in parent.glob(f"{prefix}*"):  # by one that was killed: nobody else is at work now
                shutil.rmtree(left)
            with TemporaryDirectory(prefix=prefix, dir=parent) as staging:
                yield Path(staging)
    except OSError as error:
        raise RepositoryError(f"cannot {doing} {repository}: {error}") from error


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    """One export at a time numbers its version; a lock on the folder itself leaves no file behind."""
    descriptor = os.open(repository, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _numbers(entry: Path) -> list[int]:
    """The versions in an entry of the repository, in order."""
    return sorted(int(folder.name) for folder in entry.glob("*") if folder.name.isdecimal())


def _all_numbers(repository: Path, model: str) -> list[int]:
    """Those in any of a model's entries, whole or not."""
    return sorted({number for name in _entries(model) for number in _numbers(repository / name)})


def _shared_code(repository: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (repository / "preprocess" / "1").glob("*.py")}


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
    present = repository / f"{model}_network" / CONFIG
    configs = {f"{model}_network": network_config(model, version, files, placement, present)}
    if "resize" in ensemble.parameters:
        resize = ensemble.parameters["resize"].string_value
        configs[f"{model}_preprocess"] = preprocess_config(repository, model, resize, version)
    return {**configs, model: ensemble}
