"""One writer at a time in a folder, and changes that appear in a repository whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Wait until nobody else holds the folder, then hold it. Gives the folder's descriptor, which carries the lock.

    The lock is on the folder itself and leaves no file behind.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def staging(repository: Path) -> Iterator[Path]:
    """A folder to prepare what is then renamed into the repository, which is locked meanwhile.

    It lies beside the repository, on the same file system: Triton polls every folder inside, hidden or not. What a killed process
    left there is removed first. Raises OSError.
    """
    parent, prefix = repository.resolve().parent, f".{repository.name}-staging-"
    with locked(repository):
        for left in parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        with TemporaryDirectory(prefix=prefix, dir=parent) as folder:
            yield Path(folder)
