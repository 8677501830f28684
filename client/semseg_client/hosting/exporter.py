"""Finds `semseg-export`, which has its own environment because it needs Paddle."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import ServingError

_NAME = "semseg-export"


def find_exporter() -> Path:
    """The `semseg-export` command: from the export environment inside this one, from this environment, or from the PATH.

    Raises:
        ServingError: it was not found; the message says how to install it.
    """
    for command in _candidates():
        if os.access(command, os.X_OK):
            return command
    raise ServingError(
        "found no semseg-export; install it: make setup in the project's folder,"
        " or pip install paddle-semseg-export into an environment whose bin is on the PATH"
    )


def _candidates() -> Iterator[Path]:
    yield Path(sys.prefix, "export", "bin", _NAME)
    yield Path(sys.executable).with_name(_NAME)
    for folder in os.get_exec_path():
        yield Path(folder, _NAME)
