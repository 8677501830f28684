"""Unpacks untrusted tar archives: only plain files and folders, only inside the target folder, and only up to a limit."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any

from ..errors import UnpackError, WeightsError, printable

LARGEST = 4 << 30  # bytes of all files; the largest network has 0.3 GB
FILES = 10_000
HEADER = 1 << 20  # bytes that tarfile may read at once; it reads files in blocks of 16 KiB, but a header as a whole


class _Refused(Exception):
    pass


class _Bounded:
    """The uncompressed archive. Reading fails at a header too large for memory, and after too many headers."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.headers = 0

    def read(self, size: int) -> bytes:
        self.headers += size == tarfile.BLOCKSIZE
        if size > HEADER or self.headers > 4 * FILES:
            raise _Refused(f"a header has {size} bytes" if size > HEADER else f"it has more than {FILES} files")
        return self.stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class _Tar(tarfile.TarFile):
    def __init__(self, name: Any, mode: Any, fileobj: Any, **options: Any) -> None:
        super().__init__(name, mode, _Bounded(fileobj), **options)


def unpack(file: Path, folder: Path) -> None:
    """Unpack an archive. Raises UnpackError if it is damaged or unsafe, WeightsError if this Python cannot unpack safely."""
    if not hasattr(tarfile, "data_filter"):
        raise WeightsError(
            "this Python cannot unpack archives safely: use 3.10.12, 3.11.4 or newer, or unpack them yourself and pass the folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("rb") as stream, _Tar.open(fileobj=stream) as archive:
            _extract(archive, folder)
    except (_Refused, tarfile.FilterError) as error:
        raise UnpackError(f"{file} was refused because it is unsafe to unpack: {printable(str(error))}") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError) as error:
        reason = printable(str(error))
        raise UnpackError(f"{file} is not a complete tar archive ({reason}): download it again, or pass a folder") from error
    except OSError as error:
        reason = error.strerror or printable(str(error))
        raise UnpackError(f"{file} cannot be unpacked in {folder} ({reason}): check the archive and the disk") from error


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    names: set[str] = set()
    total = 0
    for member in archive:
        name = printable(member.name)
        # Links have escaped Python's own filter (CVE-2025-4517 and others), and no network needs them.
        if not member.isreg() and not member.isdir():
            raise _Refused(f"{name} is neither a file nor a folder")
        if member.name.startswith("/"):  # the data filter would treat it as relative
            raise tarfile.AbsolutePathError(member)
        key = str(Path(member.name))
        if member.isreg() and key in names:
            raise _Refused(f"{name} is in the archive twice")
        names.add(key)
        total += member.size
        if member.size < 0 or total > LARGEST or len(names) > FILES:
            raise _Refused(f"it unpacks to more than {LARGEST >> 30} GiB or {FILES} files")
        archive.extract(member, folder, filter="data")
