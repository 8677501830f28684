"""The packages as users install them: wheels, outside the checkout."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from importlib import metadata
from pathlib import Path

import pytest

from semseg_client import Client
from tests.support import DEMO, ROOT, STREET, in_export_environment

ROOMS = ("contract", "client", "server", "export")
# The dependencies of our packages come from this environment. Our own are editable here, so this path does not expose them.
DEPENDENCIES = sysconfig.get_path("purelib")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with our wheels, except for the exporter's. All are in `dist` beside that environment."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build: list[str | Path] = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist"]
    for room in ROOMS:  # from a copy, because setuptools builds in the source folder
        copy = shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("build", "__pycache__", "*.egg-info"))
        subprocess.run([*build, copy], check=True, timeout=120)
    venv.create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    assert len(list((folder / "dist").glob("*.whl"))) == len(ROOMS)
    wheels = [next((folder / "dist").glob(f"paddle_semseg_{room}-*.whl")) for room in ROOMS if room != "export"]
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


@pytest.fixture
def fresh(python: Path, tmp_path: Path) -> dict[str, str]:
    """The environment variables of a user whose client is new, with the exporter's requirements cut down to one small package."""
    wheel = next((python.parents[2] / "dist").glob("paddle_semseg_contract-*.whl"))
    [lock] = python.parents[1].glob("lib/*/site-packages/semseg_client/hosting/export.txt")
    assert lock.read_bytes() == (ROOT / "locks" / "export.txt").read_bytes()
    name, version = wheel.name.split("-")[:2]
    lock.write_text(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return {**environment(), "XDG_DATA_HOME": str(tmp_path / "data"), "PIP_NO_INDEX": "1", "PATH": os.defpath}


def test_the_exporter_is_set_up_on_request_or_not_at_all(python: Path, fresh: dict[str, str], tmp_path: Path) -> None:
    semseg, data = python.with_name("semseg"), tmp_path / "data" / "semseg"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [semseg, *arguments], env=fresh, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )

    missing = run("--pipeline", "semantic_segmentation", "--input", STREET)
    assert missing.stderr.startswith("semseg: PP-LiteSeg-T is not exported yet, and exporting needs Paddle (1.5 GB)")
    assert "set it up once: semseg setup-export" in missing.stderr
    unpublished = run("setup-export")
    assert unpublished.returncode == 1
    [line] = unpublished.stderr.splitlines()
    assert "run make dist in the project's folder, and pass --find-links build/dist" in line
    assert list(data.iterdir()) == []

    with socket.create_server(("127.0.0.1", 0)) as silent:  # pip waits for it
        page = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        command: list[str | Path] = [semseg, "setup-export", "--find-links", page]
        with subprocess.Popen(command, env=fresh, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            silent.accept()[0].close()
            process.kill()
    assert len(list(data.iterdir())) == 1  # a part of an environment
    assert run("export", "--help").stderr == f"semseg: exporting{missing.stderr.partition('exporting')[2]}"

    done = run("setup-export", "--find-links", python.parents[2] / "dist")
    assert done.returncode == 0, done.stderr
    link = data / f"export-{metadata.version('paddle-semseg-client')}"
    assert {entry.name for entry in data.iterdir()} == {link.name, link.resolve().name}
    paddle = in_export_environment("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    next(link.glob("lib/*/site-packages")).joinpath("dependencies.pth").write_text(paddle)
    helped = run("export", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "--weights" in helped.stdout
    again = run("setup-export")
    assert (again.returncode, again.stdout) == (0, f"The exporter is already set up in {link}; to set it up anew: --renew\n")


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
