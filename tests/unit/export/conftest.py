from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto

from semseg_export import paddle_process
from semseg_export.checks import parity
from semseg_export.conversion import convert
from semseg_export.export import export
from semseg_export.install.placement import Placement
from semseg_export.options import Engine, ExportOptions, Precision, Request
from semseg_export.weights.archive import Archive, read_archive
from tests.support import bare_repository, made_once
from tests.unit.export import preloaded
from tests.unit.export.archive_server import ArchiveServer, serve
from tests.unit.export.exported import Exported, Notes, Run

ROOT = Path(__file__).parents[3]
SMALL = ((1, 129, 257), (2, 128, 256))  # shapes to compare, for speed


SAVE = """
import sys
from pathlib import Path
from tests.networks import save_pp_liteseg
for file_format in ("pir", "legacy"):
    save_pp_liteseg(Path(sys.argv[1]) / file_format, file_format=file_format)
"""


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same narrow network in two formats: pir/ and legacy/."""

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-c", SAVE, str(folder)], cwd=ROOT, check=True, capture_output=True)

    return made_once(tmp_path_factory, "networks", make)


@pytest.fixture(scope="session")
def pir_folder(networks: Path) -> Path:
    return networks / "pir"


@pytest.fixture(scope="session")
def archive(pir_folder: Path) -> Archive:
    return read_archive(pir_folder)


@pytest.fixture(scope="session")
def network(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    return convert.to_onnx(archive, tmp_path_factory.mktemp("conversion"))


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    with serve(bytes(range(256)) * 4096) as mood:
        yield mood


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all networks of tests/exports.py."""

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "tests.exports", str(folder)], cwd=ROOT, check=True, capture_output=True)

    return made_once(tmp_path_factory, "exports", make)


@pytest.fixture
def run(tmp_path: Path, exports: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exports weights, given by a path or by their name in tests/exports.py, as `net`. Tries no engine unless asked to."""
    monkeypatch.setattr(parity, "SHAPES", SMALL)
    monkeypatch.setattr(paddle_process, "ended", preloaded.ended)
    repository = bare_repository(tmp_path / "models")

    def run(weights: str | Path, images: Path | None = None, engine: Engine = Engine.ONNXRUNTIME, **settings: Any) -> Exported:
        options = ExportOptions(repository, 0.999, 8.0, Precision.FP32, None, False, Placement(), images, engine)
        notes = Notes()
        installed = export(Request("net", str(exports / weights), **settings), options, notes)
        return Exported(repository, installed, notes.told)

    return run
