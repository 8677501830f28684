"""A process and all that it started: processor time, memory, and its end."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLING = 1.0  # s; reading the maps of a large process takes some milliseconds of a core
_END = 20.0  # s, that a server has to stop by itself


@dataclass
class Memory:
    """Sums over a tree of processes, in bytes: of a page that n processes share, `pss` counts 1/n for each, `rss` all of it."""

    pss: int = 0
    rss: int = 0


class Tree:
    """A command with its children. What it writes goes to the file `log`, the standard output only if `talks` is false."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path, *, talks: bool = False) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                env={**os.environ, **environment},
                text=True,
            )

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, line: str) -> str:
        """Of one that talks: the line that it answers to this one, or nothing if it has ended."""
        if self.process.stdin is None or self.process.stdout is None:
            return ""
        with suppress(BrokenPipeError):
            print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def last_words(self) -> str:
        """The exit code, if it has ended, and the last lines of the log, as one."""
        code = self.process.poll()
        ended = [] if code is None else [f"exit code {code}"]
        return " | ".join([*ended, *self._log.read_text(errors="replace").strip().splitlines()[-4:]])[-600:]

    def cpu(self) -> float:
        """Seconds of processor time, user and system, of those that live and of their children that have ended."""
        seconds = 0.0
        for process in self._living():
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
        return seconds

    def memory(self) -> Memory:
        """What the tree takes now."""
        now = Memory()
        for process in self._living():
            with suppress(psutil.Error):
                full = process.memory_full_info()
                now.pss += full.pss
                now.rss += full.rss
        return now

    @contextmanager
    def watched(self) -> Iterator[Memory]:
        """The largest sums, seen each second and at the end."""
        peak, ended = Memory(), threading.Event()

        def see() -> None:
            now = self.memory()
            peak.pss, peak.rss = max(peak.pss, now.pss), max(peak.rss, now.rss)

        def watch() -> None:
            while not ended.wait(_SAMPLING):
                see()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield peak
        finally:
            ended.set()
            watcher.join()
            see()

    def rest(self) -> None:
        """Stand still: servers that look for work all the time must cost the one that is measured nothing."""
        for process in self._living():
            with suppress(psutil.Error):
                process.suspend()

    def wake(self) -> None:
        """Go on."""
        for process in self._living():
            with suppress(psutil.Error):
                process.resume()

    def stop(self) -> None:
        """End the process, and whatever of what it has started does not end with it."""
        started = self._living()[1:]
        self.wake()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END)
        self.process.kill()
        self.process.wait()
        for process in started:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(started, timeout=1)

    def _living(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []
