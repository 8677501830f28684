"""Runs Paddle in a child process, because it prints a lot, and Paddle2ONNX aborts the process instead of raising."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from .errors import ConversionError

TAIL = 15


def run_module(module: str, arguments: list[str | Path], doing: str) -> None:
    """Run `python -m module` and wait. If it fails, raises ConversionError with the end of its output."""
    code, output = ended(module, [*map(str, arguments)])
    if code == 0:
        return
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
    raise ConversionError(f"{doing} failed ({how}): {_reason(lines)} (its last output is below)", "\n".join(lines[-TAIL:]))


def ended(module: str, arguments: list[str]) -> tuple[int, bytes]:
    """The exit code of `python -m module`, negative for a signal, and its output."""
    done = subprocess.run(  # noqa: S603 - our Python, our module
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        env=os.environ | {"GLOG_minloglevel": "2", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


def _reason(lines: list[str]) -> str:
    """The most informative line: the converter's first error, or else the last line, which ends a traceback."""
    complaints = [line for line in lines if "[ERROR]" in line]
    if complaints:
        return complaints[0].split("[ERROR]", 1)[1].strip()
    return lines[-1].strip() if lines else "it printed nothing"
