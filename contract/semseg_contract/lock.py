"""Limits a folder to one writer at a time, and makes changes to a repository appear all at once."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def locked(folder: Path, wait: Callable[[], object] | None = None) -> Iterator[int]:
    """Wait until nobody else has locked the folder, then lock it. Yields the folder's descriptor, which carries the lock.

    While somebody else has the lock, `wait` is called again and again: it passes some time, and may raise to give up.

    The lock is on the folder itself and leaves no file behind.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        while wait is not None and not _lock_now(descriptor):
            wait()
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # at once, if this descriptor carries the lock already
        yield descriptor
    finally:
        os.close(descriptor)


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def staging(repository: Path) -> Iterator[Path]:
    """A folder in which to prepare what is then renamed into the repository. The repository is locked meanwhile.

    It is beside the repository, on the same file system, because Triton polls every folder inside, hidden or not. What killed
    processes left beside the repository is removed first. Raises OSError.
    """
    parent, prefix = repository.resolve().parent, f".{repository.name}-staging-"
    with locked(repository):
        for left in parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        with TemporaryDirectory(prefix=prefix, dir=parent) as folder:
            yield Path(folder)
