"""Exported networks for the whole run, and one service per test process: the demo network and a PP-LiteSeg in each format."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from demo.run import serving
from tests.support import DEMO, DEMO_WEIGHTS, Service, bare_repository, export, in_export_environment, made_once

SEEDED = ("PP-LiteSeg-T", "PP-LiteSeg-T-legacy")
BEGUN = time.time()
BUILT = {  # by tests/networks.py
    "PP-LiteSeg-T": ("--width", "T"),
    "PP-LiteSeg-T-legacy": ("--format", "legacy"),
    "roads": ("--classes", "5"),
}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the empty folders that killed servers left. No server knew whose they were, because others were running."""
    if hasattr(session.config, "workerinput") or any(process.name() == "tritonserver" for process in psutil.process_iter()):
        return
    for folder in Path("/tmp").glob("python_env_*"):
        with suppress(OSError):  # it is not empty
            if folder.stat().st_mtime > BEGUN:
                folder.rmdir()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of Paddle weights. "roads" is not exported yet."""

    def make(folder: Path) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: in_export_environment("-m", "tests.networks", folder / name, *BUILT[name]), BUILT))

    folder = made_once(tmp_path_factory, "weights", make)
    return {DEMO: DEMO_WEIGHTS, **{name: folder / name for name in BUILT}}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo network, exported."""

    def make(folder: Path) -> None:
        export(bare_repository(folder / "model_repository"), DEMO, DEMO_WEIGHTS)

    return made_once(tmp_path_factory, "demo", make) / "model_repository"


@pytest.fixture(scope="session")
def full_repository(repository: Path, weights: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo network and the seeded ones, exported."""

    def make(folder: Path) -> None:
        full = folder / "model_repository"
        shutil.copytree(repository, full)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: export(full, name, weights[name]), SEEDED))

    return made_once(tmp_path_factory, "serving", make) / "model_repository"


@pytest.fixture(scope="session")
def service(repository: Path) -> Iterator[Service]:
    with serving(repository, "--http-port=0", "--model", DEMO) as addresses:
        yield Service(**addresses)


@pytest.fixture(scope="session")
def full_service(full_repository: Path) -> Iterator[Service]:
    models = (f"--model={name}" for name in (DEMO, *SEEDED))
    with serving(full_repository, "--http-port=0", *models) as addresses:
        yield Service(**addresses)
