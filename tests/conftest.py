"""One repository and one running service for the whole session: the demo network and a seeded PP-LiteSeg-T in both formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.run import serving
from tests.support import DEMO, DEMO_WEIGHTS, Service, bare_repository, export, in_export_environment


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paddle weights by the name that they are served under."""
    folder = tmp_path_factory.mktemp("weights")
    for name, file_format in (("PP-LiteSeg-T", "pir"), ("PP-LiteSeg-T-legacy", "legacy")):
        in_export_environment("-m", "tests.networks", folder / name, "--width", "T", "--format", file_format)
    return {
        DEMO: DEMO_WEIGHTS,
        "PP-LiteSeg-T": folder / "PP-LiteSeg-T",
        "PP-LiteSeg-T-legacy": folder / "PP-LiteSeg-T-legacy",
    }


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Path]) -> Path:
    """The networks, exported."""
    folder = bare_repository(tmp_path_factory.mktemp("serving") / "model_repository")
    for name, source in weights.items():
        export(folder, name, source)
    return folder


@pytest.fixture(scope="session")
def service(repository: Path) -> Iterator[Service]:
    models = (f"--model={name}" for name in (DEMO, "PP-LiteSeg-T", "PP-LiteSeg-T-legacy"))
    with serving(repository, "--http-port=0", *models) as addresses:
        yield Service(**addresses)
