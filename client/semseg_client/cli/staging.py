"""A folder for preparing files before they are renamed into place."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from semseg_contract.lock import locked

_LOCK = "lock"  # in each staging folder; locked by its owner, so unlocked if the owner was killed


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`, removed at the end. Folders left by killed processes are removed first.

    Several processes may share `folder`: files of a live process are left alone.

    Raises OSError if nothing can be written there.
    """
    with locked(folder):  # so that no process finds the new folder before its lock is held
        for left in filter(Path.is_dir, folder.iterdir()):
            _remove_abandoned(left)
        own = Path(mkdtemp(dir=folder))
        lock = os.open(own / _LOCK, os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR)
    except FileNotFoundError:  # its owner has just removed it
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:  # its owner is alive
        pass
    finally:
        os.close(lock)
