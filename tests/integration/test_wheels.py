"""The packages as users install them: wheels, outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from semseg_client import Client
from tests.support import DEMO, ROOT, STREET

ROOMS = ("contract", "client", "server")
# The dependencies of our packages come from this environment. Our own are editable here, so this path does not expose them.
DEPENDENCIES = sysconfig.get_path("purelib")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with our wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build: list[str | Path] = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist"]
    for room in ROOMS:  # from a copy, because setuptools builds in the source folder
        copy = shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("build", "__pycache__", "*.egg-info"))
        subprocess.run([*build, copy], check=True, timeout=120)
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    wheels = sorted((folder / "dist").glob("*.whl"))
    assert len(wheels) == len(ROOMS)
    subprocess.run([*pip, "--python", python, "install", "--no-deps", *wheels], check=True, timeout=120)
    next(folder.glob("venv/lib/*/site-packages")).joinpath("dependencies.pth").write_text(DEPENDENCIES)
    return python


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SEMSEG_", "PYTHONPATH"))}


def test_the_client_alone_brings_one_command_and_no_hosting_at_import(python: Path, tmp_path: Path) -> None:
    assert not (python.parent / "semseg-export").exists()
    code = "import json, sys, semseg_client; print(json.dumps([semseg_client.__file__, *sys.modules]))"
    done = subprocess.run([python, "-c", code], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True)
    file, *modules = json.loads(done.stdout)
    assert str(python.parents[1]) in file
    assert not [name for name in modules if name.startswith(("semseg_client.hosting", "semseg_client.gateway", "semseg_server"))]


def test_the_wheels_serve_the_demo_network_outside_the_checkout(python: Path, repository: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command: list[str | Path] = [
        python.with_name("semseg"),
        "serve",
        "--model-repository",
        repository,
        "--model",
        DEMO,
        "--ready-file",
        ready,
    ]
    ports = ["--port=0", "--grpc-port=0", "--metrics-port=0"]
    with subprocess.Popen([*command, *ports], env=environment(), cwd=tmp_path) as process:
        try:
            while not ready.exists():
                assert process.poll() is None
                time.sleep(0.1)
            with Client(json.loads(ready.read_text())["grpc"]) as client:
                assert client.segment(STREET).label_map.shape == (512, 1024)
        finally:
            process.terminate()


def test_the_shared_models_come_with_the_client(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from semseg_client.hosting import repository as r; r.add_shared_models(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([python, "-c", code, tmp_path / "models"], env=environment(), cwd=tmp_path, check=True)
    for name in ("preprocess", "postprocess", "draw"):
        files = [file for file in (ROOT / "model_repository" / name).rglob("*") if file.suffix in (".py", ".pbtxt")]
        assert files
        for file in files:
            assert (tmp_path / "models" / file.relative_to(ROOT / "model_repository")).read_bytes() == file.read_bytes()
