"""Feeds damaged images to a decoder that may crash on them."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType

from .mutation import mutated
from .seeds import seeds

SLOW = 2.0  # CPU seconds
PATIENCE = 60.0  # s; after that, the decoder counts as hung
MEMORY = 2**29  # bytes, on top of what OpenCV uses once loaded
ROOT = Path(__file__).parents[2]
REGRESSIONS = ROOT / "tests" / "fuzz" / "found"


class Run:
    """`outcomes` counts each outcome; `found` names images that crashed or hung the decoder, or took too much time or memory."""

    def __init__(self, keep: Path | None = None) -> None:
        self.keep = keep
        self.seeds = seeds()
        self.outcomes: Counter[str] = Counter()
        self.found: list[str] = []
        self.tried = 0
        self.slowest = 0.0
        self.peak = 0

    def __enter__(self) -> Run:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def try_image(self, number: int) -> str:
        kind, data = mutated(self.seeds, number)
        return self.decode(f"{number} {kind}", data)

    def decode(self, name: str, data: bytes) -> str:
        """Decode one image in the child process; returns the outcome."""
        self.tried += 1
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(len(data).to_bytes(8, "big") + data)
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline().decode() if ready else ""
        if line:
            seconds, peak, outcome = line.split(maxsplit=2)
            outcome = outcome.strip()
            self.slowest, self.peak = max(self.slowest, float(seconds)), max(self.peak, int(peak))
            wrong = "slow" if float(seconds) > SLOW else "memory" if outcome.startswith("memory") else ""
        else:
            self._stop()
            wrong = outcome = signal.Signals(-self._process.returncode).name if ready else "hung"
            self._start()
        self.outcomes[outcome] += 1
        if wrong:
            self._found(f"{wrong} {name}", data)
        return outcome

    def told(self) -> str:
        return ", ".join(f"{outcome} {count}" for outcome, count in sorted(self.outcomes.items()))

    def _found(self, name: str, data: bytes) -> None:
        self.found.append(name)
        print(f"found: {name}, {len(data)} bytes")
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / name.replace(" ", "-").replace(",", "").replace(":", "")).write_bytes(data)

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.fuzz.decoder", str(MEMORY)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _stop(self) -> None:
        """An idle decoder ends once its input closes; one that hangs is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(1)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
