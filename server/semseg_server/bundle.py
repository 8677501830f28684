"""The tritonserver that nvidia-pytriton carries, and the backends directory it needs."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OUR_BACKENDS = Path(__file__).parent / "backends"

DEFAULTS = {
    # By default, ONNX Runtime sends usage data and keeps a file for it in the temporary folder.
    "ORT_DISABLE_TELEMETRY": "1",
    # Otherwise malloc returns an image's memory to the kernel each time. The kernel then clears each new page, and decoding
    # takes 1.7 times as long. In bytes; the first value is the largest that malloc accepts.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
    "MALLOC_ARENA_MAX": "1",  # otherwise each thread keeps memory of its own: 12 MB in tritonserver
    # Large pages for large tensors, where the kernel grants them on request (glibc 2.35): networks are 3 to 7 % faster.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


class BundleError(RuntimeError):
    """The bundled server cannot run here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Bundle:
    """Where the parts of the bundled server are."""

    binary: Path
    libraries: Path
    python_backend: Path
    stub: Path

    @classmethod
    def find(cls) -> Bundle:
        """Raises BundleError if nvidia-pytriton is not installed or has no stub for the running Python."""
        spec = find_spec("pytriton")
        if spec is None or spec.origin is None:
            raise BundleError("nvidia-pytriton is not installed: pip install paddle-semseg-server")
        package = Path(spec.origin).parent
        server = package / "tritonserver"
        bundle = cls(
            binary=server / "bin" / "tritonserver",
            libraries=package.parent / "nvidia_pytriton.libs",
            python_backend=server / "backends" / "python",
            stub=server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub",
        )
        if not bundle.binary.exists():
            raise BundleError(f"{bundle.binary} is missing: nvidia-pytriton carries a server for Linux on x86-64 and arm64 only")
        if not bundle.stub.exists():
            raise BundleError(f"nvidia-pytriton has no Python backend for Python {PYTHON}: use 3.10, 3.11 or 3.12")
        return bundle

    def backends(self) -> Path:
        """The backends directory, created on first use: a copy of Triton's Python backend with its stub, and a link to ours.

        Triton looks for a backend's library, stub and utilities in one folder; the bundle keeps them in two. They are copied
        because Triton refuses a library that is a link to outside the backends directory.
        """
        linked = sorted(backend for backend in OUR_BACKENDS.iterdir() if (backend / "model.py").exists())
        ours = hashlib.sha256("\n".join(map(str, linked)).encode()).hexdigest()[:8]
        stamp = f"{version('nvidia-pytriton')}-py{PYTHON}-{ours}"
        directory = _data_folder() / f"backends-{stamp}"
        if not directory.exists():
            directory.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
            (fresh / "python").mkdir()
            for part in (*self.python_backend.glob("*.*"), self.stub):
                shutil.copy2(part, fresh / "python")
            for backend in linked:
                (fresh / backend.name).symlink_to(backend)
            fresh.chmod(0o755)
            try:
                fresh.rename(directory)
            except OSError:
                shutil.rmtree(fresh)
                if not directory.exists():  # if it does, another process was faster
                    raise
        return directory

    def environment(self) -> dict[str, str]:
        """This process's environment, plus what the server and its Python stubs need to find their libraries."""
        environment = {**DEFAULTS, **os.environ}
        _prepend(environment, "LD_LIBRARY_PATH", [str(self.libraries), *libpython_folder()])
        # The stubs embed an interpreter. It finds its home through the first python in PATH, and its packages in PYTHONPATH.
        _prepend(environment, "PATH", [str(Path(sys.executable).parent)])
        _prepend(environment, "PYTHONPATH", [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        return environment


def libpython_folder() -> list[str]:
    """The folder of the running Python's shared library; empty if the loader finds it. Raises BundleError if there is none."""
    name = f"libpython{PYTHON}.so.1.0"
    for folder in (sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib"):
        if folder and (Path(folder) / name).exists():
            return [folder]
    if find_library(f"python{PYTHON}"):
        return []
    raise BundleError(
        f"{name} was not found; Triton's Python backend embeds it. On Debian and Ubuntu: apt-get install libpython{PYTHON}; "
        "with pyenv: reinstall with PYTHON_CONFIGURE_OPTS=--enable-shared"
    )


def _data_folder() -> Path:
    share = Path(sys.prefix) / "share"
    if os.access(share if share.exists() else sys.prefix, os.W_OK):
        return share / "semseg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semseg"


def _prepend(environment: dict[str, str], name: str, entries: list[str]) -> None:
    present = environment.get(name)
    environment[name] = os.pathsep.join([*dict.fromkeys(entries), *([present] if present else [])])
