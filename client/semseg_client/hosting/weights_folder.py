"""Uses a folder of the user's own weights as a pipeline's model: exports it on first use, and again when it has changed.

The ensemble's configuration records a SHA-256 of what was exported (`folder_sha256` in docs/contract.md). So nothing has to be
kept outside the model repository, and no exporter is needed while the folder stays the same.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from semseg_contract.encoding import decoded
from semseg_contract.paddle_files import (
    CLASSES,
    DUMPED,
    EXPORTED,
    PARAMETERS,
    PROGRAMS,
    STEMS,
    TRAINED,
    files_read,
    network_folder,
)

from ..errors import ServingError
from .exporter import run_exporter
from .repository import configuration, is_there

_LONGEST_NAME = 64  # characters of the folder's name in the model's name; a file system allows 255, all suffixes included


@dataclass(frozen=True)
class _Weights:
    """The exporter's input (the folder of an inference archive, or a file of trained weights) and all files that it will read."""

    given: Path
    read: tuple[Path, ...]
    classes: Path | None

    @property
    def trained(self) -> bool:
        return self.given.suffix == TRAINED


def exported(folder: Path, architecture: str | None, repository: Path) -> str:
    """The name in `repository` of the model made from the current weights in `folder`. It is exported if needed.

    Raises:
        ServingError: there are no weights or no exporter, or the exporter refused the weights.
    """
    name = name_of(folder)
    repository = repository.resolve()
    try:
        weights = _find(folder)
        if weights.trained and architecture is None:
            raise ServingError(f"{weights.given} does not say which network it is: set model_name in the pipeline's file")
        digest = _sha256(weights, architecture)
        if not _is_current(repository, name, digest):
            _export(folder, weights, architecture, repository, digest)
    except OSError as error:
        raise ServingError(f"{folder} cannot be exported: {error.filename or repository}: {error.strerror}") from error
    return name


def holds_weights(folder: Path) -> bool:
    """Whether there are weights in the folder, or it cannot be read, which `exported` reports."""
    try:
        return network_folder(folder) is not None or any(file.suffix == TRAINED for file in folder.iterdir())
    except OSError:
        return True


def name_of(folder: Path) -> str:
    """The folder's name, reduced to what a model's name may contain, and eight digits that make it unique."""
    path = folder.resolve()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name)[:_LONGEST_NAME].strip("._-")
    return f"{plain or 'weights'}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def _find(folder: Path) -> _Weights:
    """Find what the exporter would: an inference archive in the folder or one level below, or else trained weights."""
    if not folder.is_dir():
        raise ServingError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}: expected a folder of weights")
    place = network_folder(folder)
    if place is not None:
        return _weights(place, files_read(place), (folder, place))
    inside = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    trained = [file for file in inside if file.suffix == TRAINED]
    if len(trained) > 1:
        raise ServingError(f"{folder} holds several weight files ({', '.join(file.name for file in trained)}): keep only one")
    if not trained:
        raise ServingError(
            f"{folder} holds no weights: no {STEMS[0]}{PROGRAMS[0]} or such with its {PARAMETERS}, and no {TRAINED}"
        )
    exported = folder / EXPORTED
    described = [*inside, *(sorted(exported.iterdir()) if exported.is_dir() else ()), folder.resolve().parent / DUMPED]
    files = {file.resolve(): file for file in described if file.suffix in (".yml", ".yaml") and file.is_file()}
    for file in list(files.values()):
        _add_bases(file, files)
    return _weights(trained[0], [*trained, *files.values()], (folder,))


def _add_bases(file: Path, files: dict[Path, Path]) -> None:
    """Add the files that a training configuration is based on, which the exporter reads and, if they are not right, refuses."""
    try:
        root = yaml.compose(decoded(file.read_bytes())[0], yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "_base_":
            for name in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                base = file.parent / str(name.value).replace("\0", "")
                if base.is_file() and base.resolve() not in files:
                    files[base.resolve()] = base
                    _add_bases(base, files)


def _weights(given: Path, files: list[Path], places: tuple[Path, ...]) -> _Weights:
    classes = next((place / CLASSES for place in places if (place / CLASSES).is_file()), None)
    return _Weights(given, tuple(dict.fromkeys(files if classes is None else [*files, classes])), classes)


def _sha256(weights: _Weights, architecture: str | None) -> str:
    """SHA-256 over everything that determines the model: each file with name and length, so that the digest is unambiguous."""
    whole = hashlib.sha256()
    if weights.trained:
        whole.update(f"{architecture}\0".encode())
    for file in weights.read:
        with file.open("rb") as content:
            whole.update(f"{file.name}\0{os.fstat(content.fileno()).st_size}\0".encode(errors="surrogateescape"))
            while chunk := content.read(2**20):
                whole.update(chunk)
    return whole.hexdigest()


def _is_current(repository: Path, name: str, digest: str) -> bool:
    """Whether the model of that name is complete and was exported from exactly these files."""
    if not is_there(repository, name):
        return False
    ensemble = configuration(repository, name)
    if ensemble.parameters["folder_sha256"].string_value != digest:
        return False
    # A killed export may have replaced the configurations of the steps, but not the ensemble's.
    own = [step.model_name for step in ensemble.ensemble_scheduling.step if step.model_name.startswith(f"{name}_")]
    return all(
        is_there(repository, each) and configuration(repository, each).version_policy == ensemble.version_policy for each in own
    )


def _export(folder: Path, weights: _Weights, architecture: str | None, repository: Path, digest: str) -> None:
    name = name_of(folder)
    arguments: list[str | Path] = [name, "--weights", weights.given.resolve(), "--folder-sha256", digest]
    if weights.classes is not None:
        arguments += ["--classes", weights.classes.resolve()]
    if weights.trained and architecture is not None:
        arguments += ["--architecture", architecture]
    run_exporter(str(folder), arguments, repository, lambda: _is_current(repository, name, digest))
