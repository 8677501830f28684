from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

BEGUN = time.time()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the empty folders that killed servers left. None of them knew whose they were, because others were running."""
    if hasattr(session.config, "workerinput") or any(process.name() == "tritonserver" for process in psutil.process_iter()):
        return
    for folder in Path("/tmp").glob("python_env_*"):
        with suppress(OSError):  # it is not empty
            if folder.stat().st_mtime > BEGUN:
                folder.rmdir()
