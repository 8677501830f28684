"""Injects faults into the service, one after another, in a seeded random order."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from semseg_client.hosting.supervision.stubs import family
from tests.support import DEMO, manage_versions

from .service import SHM_MB, Running

PAUSE = (3.0, 6.0)  # s between faults
STOPPED = (5.0, 20.0)  # s
FULL = 3.0  # s
STAGES = ("preprocess", f"{DEMO}_network", "postprocess", "draw")


@dataclass(frozen=True)
class Fault:
    """What was done, and when it began and ended."""

    what: str
    begin: float
    end: float


class Faults:
    """Injects faults into `running` until `over` is set; calls `done` with each."""

    def __init__(self, running: Running, repository: Path, seed: int, done: Callable[[Fault], None]) -> None:
        self._running = running
        self._repository = repository
        self._chance = random.Random(seed)  # noqa: S311
        self._done = done
        self._version = 1
        self._paused: list[threading.Thread] = []

    def run(self, over: threading.Event) -> None:
        kinds: Sequence[tuple[Callable[[threading.Event], str], int]] = (
            (self.kill_stage, 8),
            (self.stop_stage, 4),
            (self.kill_server, 1),
            (self.stop_server, 1),
            (self.kill_worker, 2),
            (self.stop_worker, 1),
            (self.stop_parent, 1),
            (self.kill_keeper, 1),
            (self.swap_version, 2),
            (self.fill_shared_memory, 2 if self._running.memory.holder else 0),
        )
        bag: list[Callable[[threading.Event], str]] = []
        while not over.wait(self._chance.uniform(*PAUSE)):
            if not bag:  # every kind gets its turn before any is repeated too often
                bag = [kind for kind, times in kinds for _ in range(times)]
                self._chance.shuffle(bag)
            begin = time.monotonic()
            with suppress(psutil.Error, IndexError, StopIteration):  # the target is being replaced right now
                what = bag.pop()(over)
                self._done(Fault(what, begin, time.monotonic()))
        for thread in self._paused:
            thread.join()

    def kill_stage(self, _: threading.Event) -> str:
        stage = self._chance.choice(STAGES)
        self._stage(stage).kill()
        return f"kill -9 {stage}"

    def stop_stage(self, over: threading.Event) -> str:
        stage = self._chance.choice(STAGES)
        return self._stop(self._stage(stage), stage, over)

    def kill_server(self, _: threading.Event) -> str:
        self._server().kill()
        return "kill -9 tritonserver"

    def stop_server(self, over: threading.Event) -> str:
        return self._stop(self._server(), "tritonserver", over)

    def kill_worker(self, _: threading.Event) -> str:
        self._worker().kill()
        return "kill -9 gateway process"

    def stop_worker(self, over: threading.Event) -> str:
        return self._stop(self._worker(), "gateway process", over)

    def stop_parent(self, over: threading.Event) -> str:
        return self._stop(self._running.root, "semseg serve", over)

    def kill_keeper(self, _: threading.Event) -> str:
        next(each for each in self._running.root.children() if each.name() == "sh").kill()
        return "kill -9 keeper"

    def swap_version(self, _: threading.Event) -> str:
        self._version = 3 - self._version
        manage_versions(self._repository, "use", DEMO, str(self._version))
        return "another version"

    def fill_shared_memory(self, over: threading.Event) -> str:
        ballast = self._running.memory.path / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            for _ in range(SHM_MB):
                file.write(bytes(2**20))
        over.wait(FULL)
        ballast.unlink()
        return "/dev/shm full"

    def _stop(self, process: psutil.Process, name: str, over: threading.Event) -> str:
        """Stop the process and return at once; a thread continues it later."""
        seconds = self._chance.uniform(*STOPPED)
        process.send_signal(signal.SIGSTOP)

        def go_on() -> None:
            over.wait(seconds)
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)

        self._paused.append(threading.Thread(target=go_on))
        self._paused[-1].start()
        return f"SIGSTOP {name}"

    def _server(self) -> psutil.Process:
        return next(each for each in self._running.root.children() if each.name() == "tritonserver")

    def _worker(self) -> psutil.Process:
        return next(each for each in self._running.root.children() if "spawn_main" in " ".join(each.cmdline()))

    def _stage(self, stage: str) -> psutil.Process:
        living = [each for each in family(self._server().pid).stubs if each.entry == stage]
        return psutil.Process(self._chance.choice(living).pid)
