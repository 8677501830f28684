"""Finding a network's weights: a folder, a tar archive, a URL, or nothing, which means PaddleX's official archive."""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from . import download, zoo
from .archive import PARAMETERS, PROGRAMS, Archive, holds_network, read_archive
from .download import Show, sha256
from .errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """`sha256` is that of the archive, or of the parameters file of a folder."""

    archive: Archive
    source: str
    sha256: str


def find(model: str, given: str | None, workspace: Path, show: Show) -> Weights:
    """The weights that `given` names, archives unpacked into `workspace`. Raises WeightsError and DescriptionError."""
    if given is None:
        given = zoo.archive_url(model)
    if "://" in given:
        file, digest = download.fetch(given, cache_folder(), show)
        return Weights(read_archive(_unpack(file, workspace)), _public(given), digest)
    path = Path(given).expanduser()
    if path.is_dir():
        folder = _network_folder(path)
        archive = read_archive(folder)
        return Weights(archive, folder.resolve().name, sha256(archive.parameters))
    if path.is_file():
        return Weights(read_archive(_unpack(path, workspace)), path.name, sha256(path))
    raise WeightsError(f"there is no {given}: pass a folder, a .tar archive or a URL that begins with http")


def cache_folder() -> Path:
    """`$SEMSEG_CACHE`, or semseg in the user's cache folder."""
    own = os.environ.get("SEMSEG_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semseg"


def _public(url: str) -> str:
    """Without what may be secret in it: a password, the signature of a link."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _unpack(file: Path, workspace: Path) -> Path:
    """Unpack by tarfile's data filter (PEP 706), which lets nothing out of the folder; returns the network's folder."""
    if not hasattr(tarfile, "data_filter"):
        raise WeightsError("this Python cannot unpack archives safely: use 3.10.12, 3.11.4 or newer, or pass the unpacked folder")
    folder = workspace / "archive"
    try:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise WeightsError(f"{file} was refused, it is not a plain archive: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise WeightsError(f"{file} is not a whole tar archive ({error}): pass a folder, or get the archive again") from error
    return _network_folder(folder)


def _network_folder(folder: Path) -> Path:
    """`folder` or the one folder in it that holds a network, since official archives have a folder at the top."""
    candidates = [folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())]
    for candidate in candidates:
        if holds_network(candidate):
            return candidate
    names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
    raise WeightsError(f"no {' or '.join(PROGRAMS)} with {PARAMETERS} in {folder.name} (it holds {names})")
