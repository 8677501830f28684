"""Uses a folder of the user's own weights as a pipeline's model: exports it on first use, and again when it has changed.

The ensemble's configuration records a SHA-256 of what was exported (`folder_sha256` in docs/contract.md). So nothing has to be
kept outside the model repository, and no exporter is needed while the folder stays the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from semseg_contract.lock import locked
from semseg_contract.paddle_files import CLASSES, PARAMETERS, PROGRAMS, STEMS, TRAINED, files_read, network_folder

from ..errors import ServingError
from ..parent_death import ending_with_us
from .exporter import find_exporter
from .repository import add_shared_models, configuration, is_there

_FAILED = "Export failed: "  # how the exporter's own error line begins
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


def served_name(model: str | Path, architecture: str | None, repository: Path, url: str | None) -> str:
    """The name under which `model`, a name or a folder of weights, is served. A folder is exported if needed.

    `architecture` is PaddleX's name of the network; trained weights (.pdparams) need it.

    Raises:
        ServingError: the folder cannot be exported, or `url` names a server, which serves models only by name.
    """
    if isinstance(model, str):
        return model
    if url is not None:
        raise ServingError(
            f"the server at {url} serves models by name, and {model} is a folder: export it into that server's model"
            " repository (semseg-export NAME --weights FOLDER) and use that name instead"
        )
    return exported(model.expanduser(), architecture, repository)


def exported(folder: Path, architecture: str | None, repository: Path) -> str:
    """The name in `repository` of the model made from the current weights in `folder`. It is exported if needed.

    If several processes need it, one exports and the others wait. At a terminal, the user sees the progress.

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
    inside = sorted(folder.iterdir())
    trained = [file for file in inside if file.suffix == TRAINED]
    if len(trained) > 1:
        raise ServingError(f"{folder} holds several weight files ({', '.join(file.name for file in trained)}): keep only one")
    if not trained:
        raise ServingError(
            f"{folder} holds no weights: no {STEMS[0]}{PROGRAMS[0]} or such with its {PARAMETERS}, and no {TRAINED}"
        )
    described = [file for file in inside if file.suffix in (".yml", ".yaml")]
    return _weights(trained[0], [*trained, *described], (folder,))


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
    """Run the exporter, unless another process has done so while we waited for the lock."""
    name = name_of(folder)
    watched = sys.stderr is not None and sys.stderr.isatty()
    if watched:
        print(f"Exporting {folder} to {repository} as {name}", file=sys.stderr)
    repository.parent.mkdir(parents=True, exist_ok=True)
    with locked(repository.parent) as lock:
        if _is_current(repository, name, digest):
            return
        add_shared_models(repository)
        command: list[str | Path] = [find_exporter(), name, "--weights", weights.given.resolve(), "--repository", repository]
        command += ["--folder-sha256", digest]
        if weights.classes is not None:
            command += ["--classes", weights.classes.resolve()]
        if weights.trained and architecture is not None:
            command += ["--architecture", architecture]
        with subprocess.Popen(  # noqa: S603 - our exporter, arguments as a list
            ending_with_us(command),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if watched else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C at a terminal reaches only us
            pass_fds=[lock],  # if we are killed, the next process waits until the exporter has cleaned up
        ) as process:
            try:
                _, complaints = process.communicate()
            finally:
                process.terminate()
    if process.returncode:
        raise ServingError(f"{folder} cannot be exported: {_reason(complaints) or f'exit code {process.returncode}'}")


def _reason(complaints: str) -> str:
    """The exporter's own error line. Output of a program that it ran may follow it."""
    lines = [line.strip(" │") for line in complaints.splitlines() if any(map(str.isalnum, line))]
    failed = [line for line in lines if line.startswith(_FAILED)]
    return (failed or lines or [""])[-1].removeprefix(_FAILED)
