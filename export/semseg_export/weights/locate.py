"""Finds a network's weights: a folder, a tar archive, trained .pdparams, a URL of such a file, or PaddleX's official archive."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from semseg_contract.paddle_files import (
    CLASSES,
    DESCRIPTIONS,
    ONNX,
    PARAMETERS,
    PROGRAMS,
    TRAINED,
    SeveralNetworks,
    network_folder,
)

from ..errors import UnpackError, WeightsError
from ..progress import Step
from . import description, download, pdparams, tarball, zoo
from .archive import Archive, check_whole, read_archive
from .download import sha256

BESIDE_TRAINED = (".pdopt", ".pdstates")  # what Paddle saves beside trained weights to go on training
PYTORCH = (".pth", ".pt", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Weights:
    """Weights as an archive. `sha256` is that of the file, or of a folder's parameters file.

    `described_by` names the file that says how pixels are prepared. If None, they are prepared as for PaddleX's own networks.
    """

    archive: Archive
    source: str
    sha256: str
    described_by: str | None


def find(model: str, given: str | None, workspace: Path, step: Step, architecture: str | None = None) -> Weights:
    """The weights that `given` names, as an archive, unpacked or built in `workspace` if necessary. Raises ExportError.

    `architecture` names the PaddleX network of trained (.pdparams) or official weights; default: `model`.
    """
    if given is None:
        given = zoo.archive_url(architecture or model)
    if "://" in given:
        file, digest = download.fetch(given, cache_folder(), step)
        try:
            return _weights(file, architecture or model, workspace, step, _public(given), digest)
        except UnpackError:
            download.forget(file)  # it may be an error page instead of the archive: do not keep it
            raise
    path = Path(given)
    with suppress(RuntimeError):  # there is no such user
        path = path.expanduser()
    if path.is_dir():
        folder = _network_folder(path)
        archive = read_archive(folder)
        return Weights(archive, folder.resolve().name, sha256(archive.parameters), description.told(archive.described_by))
    if path.is_file() and path.suffix == ONNX:
        archive = read_archive(path.parent, path)
        return Weights(archive, path.name, sha256(path), description.told(archive.described_by))
    if path.is_file():
        return _weights(path, architecture or model, workspace, step, path.name, sha256(path))
    raise WeightsError(
        f"found no file or folder {given}: pass a folder, a .tar archive, a .pdparams or .onnx file, or an http(s) URL"
    )


def _weights(file: Path, architecture: str, workspace: Path, step: Step, source: str, digest: str) -> Weights:
    """The weights in a file: a tar archive, or trained weights."""
    folder = workspace / "archive"
    if file.suffix == TRAINED:
        check_whole(file)
        step.show(f"Building {architecture}")
        return _trained(file, architecture, folder, source, digest)
    if file.suffix in (*PROGRAMS, PARAMETERS) or file.name in DESCRIPTIONS:
        raise WeightsError(f"{file.name} is only one of a network's files: pass its folder, {file.parent}")
    if file.suffix in BESIDE_TRAINED:
        raise WeightsError(f"{file.name} holds the state of a training, not weights: pass the {TRAINED} file beside it")
    if file.suffix in PYTORCH:
        raise WeightsError(f"{file.name} is of PyTorch's kind: pass a network that was trained or exported with Paddle")
    if zipfile.is_zipfile(file):
        raise UnpackError(f"{file.name} is a zip archive: unpack it and pass its folder, or pass a .tar archive")
    if file.suffix == ONNX:
        raise WeightsError(f"{file.name} does not say how pixels are prepared: pass a folder or .tar with its inference.yml, too")
    tarball.unpack(file, folder)
    archive = read_archive(_network_folder(folder))
    return Weights(archive, source, digest, description.told(archive.described_by))


def _trained(file: Path, architecture: str, folder: Path, source: str, digest: str) -> Weights:
    local = source == file.name  # there is nothing of the user's beside a download
    described_by = pdparams.description_of(file) if local else None
    archive = pdparams.to_archive(file, described_by, architecture, folder)
    if described_by is None and source != zoo.network(architecture).checkpoint:
        archive = replace(archive, notes=(*archive.notes, pdparams.undescribed(source, architecture)))
    classes = file.with_name(CLASSES)
    if local and classes.is_file():
        archive = replace(archive, classes=classes)
    return Weights(archive, source, digest, None if described_by is None else description.told(described_by))


def cache_folder() -> Path:
    """`$SEMSEG_CACHE`, or semseg in the user's cache folder."""
    own = os.environ.get("SEMSEG_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semseg"


def _public(url: str) -> str:
    """The URL without what may be secret: a password, a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _network_folder(folder: Path) -> Path:
    """The network's folder: `folder` itself or one inside it. Raises WeightsError."""
    name = folder.resolve().name
    try:
        found = network_folder(folder)
    except SeveralNetworks as error:
        raise WeightsError(f"{name} {error.strerror}") from error
    if found is not None:
        return found
    inside = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if "__model__" in inside:
        raise WeightsError(f"{name} holds __model__, the format of Paddle 1: load it with Paddle 2 and export it again")
    trained = [name for name in inside if name.endswith(TRAINED)]
    if trained:
        raise WeightsError(
            f"{name} holds trained weights, not an exported network: pass the file {folder / trained[0]} with the name of"
            " its PaddleX network, or export it with PaddleX or PaddleSeg"
        )
    raise WeightsError(
        f"no network in {name}, such as inference.json or model.pdmodel with its {PARAMETERS} (it holds"
        f" {', '.join(inside[:5]) or 'nothing'})"
    )
