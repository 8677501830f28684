"""For each rule in pyproject.toml, import-linter notices an import that breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("contract/semseg_contract", "client/semseg_client", "export/semseg_export", "server/semseg_server")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / Path(package).name, ignore=shutil.ignore_patterns("__pycache__", "shared_models")
        )
    return folder


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("semseg_client/triton/tls.py", "from ..cli import main", "Layers of the client"),
        ("semseg_client/inputs/source.py", "from ..results import legend", "Layers of the client"),
        ("semseg_export/weights/zoo.py", "from ..checks import parity", "Layers of the export"),
        ("semseg_client/hosting/exporter.py", "from semseg_server import bundle", "client, export and server"),
        ("semseg_contract/names.py", "from semseg_export import options", "The contract imports no other"),
        ("semseg_client/device.py", "import onnxruntime", "No engine and no converter"),
    ],
)
def test_a_planted_import_breaks_its_rule(sources: Path, file: str, line: str, rule: str) -> None:
    place = sources / file
    before = place.read_text()
    place.write_text(f"{before}\n{line}\n")
    try:
        done = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache", ROOT / "pyproject.toml"],
            env={**os.environ, "PYTHONPATH": str(sources)},
            cwd=sources,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        place.write_text(before)
    broken = [each for each in done.stdout.splitlines() if each.endswith(" BROKEN")]
    assert done.returncode == 1
    assert any(each.startswith(rule) for each in broken), done.stdout
