"""Where the languages' compilers and libraries are, and how a test runs what they make."""

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
    """Skips the test unless all are there: commands, and files, by absolute paths or patterns of paths."""
    missing = [need for need in needs if not _is_there(need)]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: `make test-examples` installs what is missing")


def _is_there(need: str) -> bool:
    if need.startswith("/"):
        return any(Path("/").glob(need[1:]))
    return shutil.which(need) is not None


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in `folder`; its `python` is the tests' own, and what Go keeps stays in the folder."""
    path = f"{SERVING}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GOCACHE": str(folder / ".go")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return run(["bash", "-euc", line], folder)


def build(line: str, folder: Path) -> None:
    """Runs a compiler, which must have nothing to complain of."""
    done = shell(line, folder)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
