"""Values given to make reach the commands as they were typed. The commands are stand-ins that print their arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

ODD = [
    "/tmp/it's mine/net",
    '/a "b" c',
    "/a\\b",
    "/tmp/$HOME/$$x/`x`",
    "/tmp/$(shell touch pwned)$(b",
    "~/分割/café",
    "/tmp/two\nlines",
    "-rf; touch pwned #%&*?",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout, in a folder of an odd name, in which everything is set up and the demo network is exported."""
    folder = tmp_path / 'it\'s a "check" out'
    rooms = [f"{room}/pyproject.toml" for room in ("contract", "client", "export", "server")]
    done = [".venv/.serve", ".venv/.export", "model_repository/A/config.pbtxt", "model_repository/B/config.pbtxt"]
    for file in ("VERSION", "locks/serve.txt", "locks/export.txt", *rooms, *done):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    shutil.copy(ROOT / "Makefile", folder)
    for program in (".venv/bin/semseg", ".venv/bin/python", ".venv/export/bin/semseg-export"):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        (folder / program).chmod(0o755)
    return folder


def make(project: Path, *arguments: str, **environment: str) -> list[str]:
    """The arguments of the commands that make has run."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        [str(shutil.which("make")), *arguments],
        cwd=project,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not (project / "pwned").exists()
    return done.stdout.split("\0")[:-1]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("variable", ["WEIGHTS", "CLASSES", "CALIBRATION", "DEVICE"])
def test_a_value_for_the_export_is_passed_on_as_it_was_typed(project: Path, variable: str, value: str) -> None:
    assert make(project, "export", "MODEL=A", f"{variable}={value}") == [f"--{variable.lower()}", value, "--", "A"]


@pytest.mark.parametrize("value", ODD)
def test_a_name_and_a_model_are_passed_on_as_they_were_typed(project: Path, value: str) -> None:
    assert make(project, "export", f"MODEL={value}") == ["--", value]
    assert make(project, "export", "MODEL=A", f"NAME={value}", "FORCE=1") == ["--architecture", "A", "--force", "--", value]


def test_serve_exports_what_is_missing_with_weights_as_they_were_typed(project: Path) -> None:
    assert make(project, "serve", "MODEL=C", f"WEIGHTS={ODD[3]}") == ["--weights", ODD[3], "--", "C", "serve", "--model", "C"]
    assert make(project, "serve", "MODEL=it's") == ["--", "it's", "serve", "--model", "it's"]


@pytest.mark.parametrize("value", ODD)
def test_a_data_set_is_passed_on_as_it_was_typed(project: Path, value: str) -> None:
    told = ["eval", "--model", "A", "--model-repository", "model_repository", "--resume", "--", value]
    assert make(project, "eval", "MODEL=A", f"DATASET={value}", "ARGS=--resume") == told


def test_models_are_a_list_and_arguments_are_split(project: Path) -> None:
    served = ["serve", "--model", "A", "--model", "B", "--port", "0"]
    assert make(project, "serve", "MODEL=A B (slice)", "ARGS=--port 0") == served
    assert make(project, "rollback", "MODEL=A", "VERSION=it's") == ["-m", "semseg_export.versions", "use", "A", "it's"]
    assert make(project, "prune", "MODEL=A") == ["-m", "semseg_export.versions", "prune", "A"]


def test_the_environment_sets_nothing(project: Path) -> None:
    assert make(project, "export", "MODEL=A", WEIGHTS="/tmp/x", NAME="y", VERSION="z") == ["--", "A"]
