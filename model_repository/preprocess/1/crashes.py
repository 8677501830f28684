"""Remembers images that crashed the decoder: each process leaves a note for its successors.

While decoding, a process keeps the image's digest in a file of its own. If it crashes, faulthandler writes to a second file.
A digest with such evidence convicts the image. A process killed from outside leaves no evidence, so its image stays innocent.
"""

from __future__ import annotations

import faulthandler
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from mmap import mmap
from pathlib import Path
from uuid import uuid4

REFUSED_FOR = 3600.0  # s
LOOK_EVERY = 1.0  # s
LONGEST = 30.0  # s of CPU time to decode one image
FULL_MEMORY = b"Bus error"  # a full /dev/shm causes it with any image, so an image is convicted only the second time
NOTHING = bytes(sha256().digest_size)


class Convicted(ValueError):
    """The image recently crashed the decoder or kept it busy too long; the message starts with the field's name."""


class Crashes:
    """All processes that decode share `folder`. One instance per process: it installs signal handlers."""

    def __init__(self, folder: Path, longest: float = LONGEST, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.longest, self.clock = folder, longest, clock
        folder.mkdir(parents=True, exist_ok=True)
        self.convict()
        name = folder / uuid4().hex
        self._file = name.open("w+b")
        os.posix_fallocate(self._file.fileno(), 0, len(NOTHING))  # writing to a hole would raise SIGBUS on a full file system
        fcntl.flock(self._file, fcntl.LOCK_EX)  # held until this process ends
        self._note = mmap(self._file.fileno(), len(NOTHING))
        self._evidence = name.with_suffix(".evidence").open("w")
        name.rename(name.with_suffix(".note"))  # only once it is locked: see `convict`
        faulthandler.enable(self._evidence, all_threads=False)
        faulthandler.register(
            signal.SIGPROF, self._evidence, all_threads=False, chain=True
        )  # SIGPROF's default action then kills the process
        self._refused: dict[str, float] = {}
        self._looked, self._changed = -LOOK_EVERY, 0

    @contextmanager
    def noted(self, image: bytes) -> Iterator[None]:
        """Decode the image inside this block. Raises Convicted."""
        digest = sha256(image)
        if self._is_refused(digest.hexdigest()):
            raise Convicted("image: crashed the decoder before; it is refused for an hour")
        self._note[:] = digest.digest()
        signal.setitimer(signal.ITIMER_PROF, self.longest)  # CPU time: a stopped process uses none
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._note[:] = NOTHING

    def convict(self) -> None:
        """Judge the notes of dead processes and remove them."""
        for note in self.folder.glob("*.note"):
            with suppress(BlockingIOError, FileNotFoundError):  # its process is alive, or another process was faster
                self._judge(note)
        for file in (*self.folder.glob("*.refused"), *self.folder.glob("*.suspected")):
            with suppress(FileNotFoundError):
                if self.clock() - file.stat().st_mtime >= REFUSED_FOR:
                    file.unlink()

    def _judge(self, note: Path) -> None:
        with note.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            digest, evidence = file.read(), note.with_suffix(".evidence")
            if digest != NOTHING and evidence.exists() and (death := evidence.read_bytes()):
                self._blame(digest.hex(), death)
            evidence.unlink(missing_ok=True)
            note.unlink(missing_ok=True)

    def _blame(self, digest: str, death: bytes) -> None:
        suspected = self.folder / f"{digest}.suspected"
        if FULL_MEMORY in death and not suspected.exists():
            suspected.touch()
        else:
            suspected.unlink(missing_ok=True)
            (self.folder / f"{digest}.refused").touch()

    def _found(self) -> dict[str, float]:
        """When each digest was convicted."""
        found = {}
        for file in self.folder.glob("*.refused"):
            with suppress(FileNotFoundError):
                found[file.stem] = file.stat().st_mtime
        return found

    def _is_refused(self, digest: str) -> bool:
        now = self.clock()
        if not 0 <= now - self._looked < LOOK_EVERY:
            self._looked = now
            with suppress(OSError):  # if the folder cannot be read, decode anyway
                changed = self.folder.stat().st_mtime_ns
                if changed != self._changed:
                    self._refused = self._found()
                    self._changed = changed
        since = self._refused.get(digest)
        return since is not None and now - since < REFUSED_FOR
