"""Finds a network's weights: a folder, a tar archive, trained .pdparams, a URL of such a file, or PaddleX's official archive."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from semseg_contract.paddle_files import DESCRIPTION, PARAMETERS, PROGRAMS, TRAINED, network_folder

from ..errors import UnpackError, WeightsError
from ..progress import Step
from . import description, download, pdparams, tarball, zoo
from .archive import Archive, read_archive
from .download import sha256


@dataclass(frozen=True)
class Weights:
    """Weights as an inference archive. `sha256` is that of the file, or of a folder's parameters file.

    `described_by` names the file that says how pixels are prepared. If None, they are prepared as for PaddleX's own networks.
    """

    archive: Archive
    source: str
    sha256: str
    described_by: str | None = DESCRIPTION


def find(model: str, given: str | None, workspace: Path, step: Step, architecture: str | None = None) -> Weights:
    """The weights that `given` names, as an inference archive, unpacked or built in `workspace` if necessary. Raises ExportError.

    `architecture` names the PaddleX network of trained (.pdparams) or official weights; default: `model`.
    """
    if given is None:
        given = zoo.archive_url(architecture or model)
    if "://" in given:
        file, digest = download.fetch(given, cache_folder(), step)
        try:
            return Weights(_archive(file, architecture or model, workspace, step), _public(given), digest, _described_by(file))
        except UnpackError:
            download.forget(file)  # it may be an error page instead of the archive: do not keep it
            raise
    path = Path(given).expanduser()
    if path.is_dir():
        folder = _network_folder(path)
        archive = read_archive(folder)
        described_by = description.told(folder / DESCRIPTION)
        return Weights(archive, folder.resolve().name, sha256(archive.parameters), described_by)
    if path.is_file():
        return Weights(_archive(path, architecture or model, workspace, step), path.name, sha256(path), _described_by(path))
    raise WeightsError(f"found no file or folder {given}: pass a folder, a .tar archive, a .pdparams file or an http(s) URL")


def _archive(file: Path, architecture: str, workspace: Path, step: Step) -> Archive:
    if file.suffix != TRAINED:
        tarball.unpack(file, workspace / "archive")
        return read_archive(_network_folder(workspace / "archive"))
    step.show(f"Building {architecture}")
    return pdparams.to_archive(file, architecture, workspace / "archive")


def _described_by(file: Path) -> str | None:
    if file.suffix != TRAINED:
        return DESCRIPTION
    found = pdparams.described_by(file.parent)
    return None if found is None else description.told(found)


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
    found = network_folder(folder)
    if found is None:
        names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
        raise WeightsError(f"no {' or '.join(PROGRAMS)} with {PARAMETERS} in {folder.name} (it holds {names})")
    return found
