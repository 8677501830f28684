"""One repository for the whole run and one service per test process: the demo network and a PP-LiteSeg-T in both formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.run import serving
from semseg_contract.lock import locked
from tests.support import DEMO, DEMO_WEIGHTS, Service, bare_repository, export, in_export_environment


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paddle weights by serving name."""

    def make(folder: Path) -> None:
        for name, file_format in (("PP-LiteSeg-T", "pir"), ("PP-LiteSeg-T-legacy", "legacy")):
            in_export_environment("-m", "tests.networks", folder / name, "--width", "T", "--format", file_format)

    folder = _made_once(tmp_path_factory, "weights", make)
    return {DEMO: DEMO_WEIGHTS, **{name: folder / name for name in ("PP-LiteSeg-T", "PP-LiteSeg-T-legacy")}}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Path]) -> Path:
    """A model repository with these networks exported."""

    def make(folder: Path) -> None:
        repository = bare_repository(folder / "model_repository")
        for name, source in weights.items():
            export(repository, name, source)

    return _made_once(tmp_path_factory, "serving", make) / "model_repository"


@pytest.fixture(scope="session")
def service(repository: Path) -> Iterator[Service]:
    models = (f"--model={name}" for name in (DEMO, "PP-LiteSeg-T", "PP-LiteSeg-T-legacy"))
    with serving(repository, "--http-port=0", *models) as addresses:
        yield Service(**addresses)


def _made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the run's first process fills while the others wait."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, done = common / name, common / f"{name}.done"
    with locked(common):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
