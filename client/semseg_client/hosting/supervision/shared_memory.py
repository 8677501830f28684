"""Manages what a tritonserver keeps in /dev/shm, and removes it however the server ends."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

ROOT = Path("/dev/shm")  # noqa: S108  (where Triton's Python backend keeps its regions)
_FOLDER = "folder"
_NAME = re.compile(rf"\.?semseg_\d+_[0-9a-f]+_{_FOLDER}")

# When it starts, Triton's Python backend creates an empty folder of this name, whatever TMPDIR says. A killed server leaves it
# behind. A live server aborts on shutdown if its folder is gone, and only the folder's time shows whose it is: if another live
# server was started at about that time, the folder is kept.
_LITTER = "python_env_*"
_TEMPORARY = Path("/tmp")  # noqa: S108
_STARTING = 15.0  # s, within which a starting server creates it
_PROGRAM = "tritonserver"
_TICKS = os.sysconf("SC_CLK_TCK")  # per second
_FROM, _TO = "started", "up"  # files in SharedMemory.folder; that one was created between their times

# Standard input gives the server's process group ($p) and a time span, in clock ticks since boot: if another server was started
# within it, that empty folder may be the other's. The script waits until the pipe breaks, which happens however its parent dies.
# Then it kills the group and removes what the server left. A process's start time is the 22nd field of its stat.
_KEEPER = f"""
read -r p since until; read -r _
[ -n "$p" ] && kill -9 -"$p" 2>/dev/null
for each in /proc/[0-9]*/stat; do
    read -r pid name state rest 2>/dev/null <"$each" || continue
    [ "$name" = "({_PROGRAM})" ] && [ "$state" != Z ] && [ "$pid" != "$p" ] || continue
    set -- $rest
    [ "${{19}}" -ge "$since" ] && [ "${{19}}" -le "$until" ] && others=1
done
from="$0{_FOLDER}/{_FROM}" to="$0{_FOLDER}/{_TO}"
[ -n "$others" ] || find {_TEMPORARY} -maxdepth 1 -name '{_LITTER}' -empty -newer "$from" ! -newer "$to" -delete
rm -rf "$0"*
"""

# These descriptors show others that this process is alive. In a forked child, /dev/null replaces them.
_signs_of_life: set[int] = set()


def _seem_dead() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in _signs_of_life:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


os.register_at_fork(after_in_child=_seem_dead)


class SharedMemory:
    """Everything in /dev/shm whose name begins with `prefix`. `folder` holds our own small files.

    A lock on the folder shows whether its owner is still alive, even across PID namespaces.
    """

    def __init__(self, root: Path = ROOT) -> None:
        _remove_stale(root)
        self._root = root
        self.prefix = f"semseg_{os.getpid()}_{secrets.token_hex(4)}_"
        self.folder = root / f"{self.prefix}{_FOLDER}"
        unlocked = root / f".{self.folder.name}"
        unlocked.mkdir(mode=0o700)
        self._lock = os.open(unlocked, os.O_RDONLY)
        _signs_of_life.add(self._lock)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unlocked.rename(self.folder)  # so that nobody sees it unlocked

    def starting(self) -> None:
        """Note the time. Call this just before starting a server."""
        now = time.time()
        for name, at in ((_FROM, now - 0.1), (_TO, now + _STARTING)):
            (self.folder / name).touch()
            os.utime(self.folder / name, (at, at))

    @property
    def free(self) -> int:
        """Free bytes in /dev/shm."""
        return shutil.disk_usage(self._root).free

    def keep_private(self) -> None:
        """Make the regions of Triton's Python backend private: it creates them readable by everyone."""
        for region in self._root.glob(f"{self.prefix}*"):
            with suppress(FileNotFoundError):  # it has just been removed
                status = region.lstat()  # a link here would be a stranger's
                if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077 and status.st_uid == os.geteuid():
                    region.chmod(0o600)

    def clear(self) -> None:
        """Remove what a dead server left, except `folder`."""
        _remove_litter(self.folder)
        _remove(path for path in self._root.glob(f"{self.prefix}*") if path != self.folder)

    def remove(self) -> None:
        """Remove everything. Calling it again is harmless."""
        if self._lock >= 0:
            _remove_litter(self.folder)
            _remove(self._root.glob(f"{self.prefix}*"))
            _signs_of_life.discard(self._lock)
            os.close(self._lock)
            self._lock = -1


class Keeper:
    """A shell that kills a process group and removes its shared memory once this process has died."""

    def __init__(self, group: int, memory: SharedMemory) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script, arguments as a list
            ["/bin/sh", "-c", _KEEPER, memory.folder.with_name(memory.prefix)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at a terminal and signals to our group do not reach it
        )
        assert self._process.stdin is not None  # noqa: S101
        _signs_of_life.add(self._process.stdin.fileno())
        since, until = _uncertain(memory.folder)
        self._process.stdin.write(f"{group} {since} {until}\n".encode())
        self._process.stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def dismiss(self) -> None:
        """Stop the shell without any clean-up."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None and not self._process.stdin.closed:
            _signs_of_life.discard(self._process.stdin.fileno())
            with suppress(OSError):
                self._process.stdin.close()


def _remove_stale(root: Path) -> None:
    """Remove what servers left whose owners are dead."""
    for folder in (*root.glob(f"semseg_*_{_FOLDER}"), *root.glob(f".semseg_*_{_FOLDER}")):
        if _NAME.fullmatch(folder.name) is None:  # the name becomes part of a glob pattern
            continue
        with suppress(OSError):  # another user's, or its owner is removing it
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.fstat(descriptor)
                if found.st_uid != os.geteuid():
                    continue
                if folder.name.startswith(".") and time.time() - found.st_mtime < _STARTING:
                    continue  # its owner will lock it soon
                _remove_litter(folder)
                _remove(root.glob(f"{folder.name.removesuffix(_FOLDER)}*"))
            finally:
                os.close(descriptor)


def _remove_litter(folder: Path) -> None:
    """Remove the empty folder that the last server created in the temporary folder, if it cannot be another server's."""
    with suppress(FileNotFoundError):  # no server was started
        if _another_started(*_uncertain(folder)):
            return
        begin, end = _window(folder)
        for path in _TEMPORARY.glob(_LITTER):
            with suppress(OSError):  # it is not empty, or another user's
                if begin <= path.stat().st_mtime <= end:
                    path.rmdir()


def _window(folder: Path) -> tuple[float, float]:
    """The times between which the last server created its folder. Raises FileNotFoundError if no server was started."""
    return (folder / _FROM).stat().st_mtime, (folder / _TO).stat().st_mtime


def _uncertain(folder: Path) -> tuple[int, int]:
    """A span in clock ticks since boot: another server that started within it may have created its folder in the same window.
    Raises what `_window` does."""
    begin, end = _window(folder)
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return int((begin - _STARTING - booted) * _TICKS), int((end - booted) * _TICKS)


def _another_started(since: int, until: int) -> bool:
    """Whether a live server was started between these clock ticks since boot."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = file.read_bytes().partition(b" ")[2].rpartition(b") ")
            if name == f"({_PROGRAM}".encode() and not rest.startswith(b"Z") and since <= int(rest.split()[19]) <= until:
                return True
    return False


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
