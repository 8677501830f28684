"""A process and its descendants: their processor time, their memory, and how to stop them."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLING = 1.0  # s; reading the memory maps of a large process takes milliseconds of processor time
_END = 20.0  # s that a server gets to stop on its own


@dataclass
class Memory:
    """Sums over a tree of processes, in bytes. A page shared by n processes counts 1/n for each in `pss` and fully in `rss`."""

    pss: int = 0
    rss: int = 0


class Tree:
    """A command and its children. Their output goes to the file `log`, except standard output if `talks` is true."""

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
        """Send a line to a process that talks; returns its one-line answer, empty if the process has ended."""
        if self.process.stdin is None or self.process.stdout is None:
            return ""
        with suppress(BrokenPipeError):
            print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def last_words(self) -> str:
        """The exit code, if the process has ended, and the log's last lines, joined."""
        code = self.process.poll()
        ended = [] if code is None else [f"exit code {code}"]
        return " | ".join([*ended, *self._log.read_text(errors="replace").strip().splitlines()[-4:]])[-600:]

    def cpu(self) -> float:
        """Seconds of processor time, user and system, of the live processes and of their ended children."""
        seconds = 0.0
        for process in self._living():
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
        return seconds

    def memory(self) -> Memory:
        """The tree's memory now."""
        now = Memory()
        for process in self._living():
            with suppress(psutil.Error):
                full = process.memory_full_info()
                now.pss += full.pss
                now.rss += full.rss
        return now

    @contextmanager
    def watched(self) -> Iterator[Memory]:
        """The peak memory during the block, sampled every second and at the end."""
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
        """Suspend the processes: servers that poll for work must not slow down the one under test."""
        for process in self._living():
            with suppress(psutil.Error):
                process.suspend()

    def wake(self) -> None:
        """Resume the processes."""
        for process in self._living():
            with suppress(psutil.Error):
                process.resume()

    def stop(self) -> None:
        """End the process, and any of its descendants that outlive it."""
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
