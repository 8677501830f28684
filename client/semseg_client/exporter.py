"""Where `semseg-export` is that can run: Paddle, which it needs, has an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import ServingError

_NAME = "semseg-export"
_HAS_PADDLE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('paddle') is None)"


def find_exporter() -> Path:
    """The command `semseg-export` of an environment that has Paddle: the one inside this environment, else on the PATH.

    Raises:
        ServingError: there is none; with how to install it.
    """
    found = next(filter(_works, _candidates()), None)
    if found is None:
        raise ServingError(
            "there is no semseg-export with Paddle here; install one: make setup in the project's folder,"
            " or pip install 'paddle-semseg-triton[export]' into an environment whose bin is on the PATH"
        )
    return found


def _candidates() -> Iterator[Path]:
    yield Path(sys.prefix, "export", "bin", _NAME)
    yield Path(sys.executable).with_name(_NAME)
    for folder in os.get_exec_path():
        yield Path(folder, _NAME)


def _works(command: Path) -> bool:
    """Whether it is there, and the Python of its environment finds Paddle. The serving environment has the command only."""
    python = command.resolve().with_name("python")  # a command on the PATH may be a link into its environment
    return (
        os.access(command, os.X_OK)
        and python.exists()
        and not subprocess.run([python, "-c", _HAS_PADDLE], check=False).returncode  # noqa: S603 - where the user's PATH leads
    )
