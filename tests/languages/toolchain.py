"""Finds the languages' compilers and libraries, and runs the programs they build."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from demo.run import SERVING

CPP = ("g++", "pkg-config", "/usr/include/httplib.h", "/usr/include/nlohmann/json.hpp")
JAVA = ("java", "javac")
CSHARP = ("mcs", "mono", "/usr/lib/cli/Newtonsoft.Json-5.0/Newtonsoft.Json.dll")
PHP = ("php", "/usr/lib/php/*/curl.so")


def require(*needs: str) -> None:
    """Skips the test unless all commands and files (absolute paths or patterns) exist."""
    missing = [need for need in needs if not _is_there(need)]
    if missing:
        pytest.skip(f"missing {', '.join(missing)}: `make test-examples` installs it")


def _is_there(need: str) -> bool:
    if need.startswith("/"):
        return any(Path("/").glob(need[1:]))
    return shutil.which(need) is not None


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in `folder`; `python` is the one that runs the tests, and Go's cache stays in the folder."""
    path = f"{SERVING}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GOCACHE": str(folder / ".go")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run(["bash", "-euc", line], folder)


def build(line: str, folder: Path) -> None:
    """Runs a compiler, which must succeed without output."""
    done = shell(line, folder)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
