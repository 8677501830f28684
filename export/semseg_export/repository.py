"""Entries of the model repository, as docs/contract.md has them: installed whole, and one version of each served.

A model's version n is in three folders: `<MODEL>_network/n`, `<MODEL>/n`, which keeps the ensemble's configuration as it
belongs to that version, and for a network that has images resized `<MODEL>_preprocess/n`. Which version is served stands in
the configurations alone, so that a new version is put in place, and an older one taken back, by replacing these.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .configuration import CONFIG, SHARED, Origin, ensemble_config, network_config, parse, preprocess_config, read, text
from .errors import RepositoryError


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


def install(repository: Path, model: str, network: bytes, origin: Origin) -> int:
    """Install the network as a new version of `model` and have that served; returns its number.

    A running server never sees half a model: first the version's folders are renamed in, which changes nothing that is
    served, and then the configurations are replaced. Raises RepositoryError.
    """
    with _changing(repository, f"install {model} into") as staging:
        version = max([0, *_numbers(repository / f"{model}_network"), *_numbers(repository / model)]) + 1
        ensemble = text(ensemble_config(model, origin, version))
        folders = {f"{model}_network": {"model.onnx": network}}
        if origin.resize is not None:
            folders[f"{model}_preprocess"] = _shared_code(repository)
        folders[model] = {CONFIG: ensemble}
        for name, files in folders.items():
            for file, content in files.items():
                (staging / name / str(version)).mkdir(parents=True, exist_ok=True)
                (staging / name / str(version) / file).write_bytes(content)
        for name, config in _configs(repository, model, ensemble, version).items():
            (staging / name / CONFIG).write_bytes(config)
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
    present = versions(repository, model).present
    if version not in present:
        raise RepositoryError(f"{model} has no version {version} in {repository}; there is: {', '.join(map(str, present))}")
    with _changing(repository, f"change {model} in") as staging:
        configs = _configs(repository, model, (repository / model / str(version) / CONFIG).read_bytes(), version)
        for name, config in configs.items():
            (staging / name).write_bytes(config)
        for name in configs:
            (staging / name).replace(repository / name / CONFIG)


def prune(repository: Path, model: str) -> tuple[int, ...]:
    """Delete every version of `model` but the one that is served; returns their numbers. Raises RepositoryError."""
    state = versions(repository, model)
    others = tuple(version for version in state.present if version != state.served)
    with _changing(repository, f"prune {model} in") as staging:
        for version in others:
            for name in (model, f"{model}_network", f"{model}_preprocess"):
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
    check_name(model)
    if not (repository / model / CONFIG).is_file():
        raise RepositoryError(f"{model} is not in {repository}; export it: make export MODEL={model}")
    served = [*read(repository / model / CONFIG).version_policy.specific.versions, 0][0]
    networks = _numbers(repository / f"{model}_network")
    present = tuple(number for number in networks if (repository / model / str(number) / CONFIG).is_file())
    if served not in present:
        raise RepositoryError(f"{repository} holds no whole version of {model} that is served; export it again")
    return Versions(served, present)


@contextmanager
def _changing(repository: Path, doing: str) -> Iterator[Path]:
    """A folder to put together in what is then renamed into the repository.

    Beside it, since Triton polls every folder of the repository, hidden or not; and on its file system.
    """
    try:
        repository.mkdir(parents=True, exist_ok=True)
        with _locked(repository), TemporaryDirectory(prefix=f".{repository.name}-", dir=repository.resolve().parent) as staging:
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


def _shared_code(repository: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (repository / "preprocess" / "1").glob("*.py")}


def _configs(repository: Path, model: str, ensemble: bytes, version: int) -> dict[str, bytes]:
    """What to write to have a version served: the configurations of its own steps, and the ensemble's, which comes last."""
    parameters = parse(ensemble).parameters
    configs = {f"{model}_network": network_config(model, version, repository / f"{model}_network" / CONFIG)}
    if "resize" in parameters:
        configs[f"{model}_preprocess"] = preprocess_config(repository, model, parameters["resize"].string_value, version)
    return {**{name: text(config) for name, config in configs.items()}, model: ensemble}
