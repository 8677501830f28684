"""The machine and the versions behind the figures."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil

from .places import HOME, ROOT, SERVING

_PACKAGES = {
    SERVING: ("nvidia-pytriton", "onnxruntime", "opencv-python-headless", "tritonclient", "openvino", "mnn"),
    HOME / "paddlex": ("paddlex", "paddlepaddle"),
    HOME / "litserve": ("litserve",),
    HOME / "engines": ("openvino", "mnn", "ncnn"),
}


@dataclass(frozen=True)
class Machine:
    """The content of the results' first line and the report's first paragraph."""

    date: str
    cpu: str
    cores: int
    memory_gb: float
    system: str
    load: float  # over the last minute before the run
    commit: str
    command: str
    versions: dict[str, str]


def this_machine(target: str) -> Machine:
    """This machine, for a run of `make target` with this process's arguments."""
    arguments = " ".join(sys.argv[1:])
    return Machine(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{_system()}, Linux {platform.release()}, Python {platform.python_version()}",
        load=round(os.getloadavg()[0], 2),
        commit=_commit(),
        command=f'make {target} ARGS="{arguments}"' if arguments else f"make {target}",
        versions=_versions(),
    )


def _system() -> str:
    return platform.freedesktop_os_release()["PRETTY_NAME"]


def _cpu() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = found[1] if found else platform.processor()
    return f"{name}, AVX-512 hidden" if "avx2.so" in os.environ.get("LD_PRELOAD", "") else name


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    """Versions of the packages that matter, as installed in their environments."""
    versions = {}
    for environment, packages in _PACKAGES.items():
        for package in packages:
            stem = package.replace("-", "_")
            for found in environment.glob(f"lib/python3*/site-packages/{stem}-*.dist-info"):
                versions[package] = found.name.removesuffix(".dist-info").rpartition("-")[2]
    return versions
