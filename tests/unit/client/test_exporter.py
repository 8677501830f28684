from __future__ import annotations

import sys
from pathlib import Path

import pytest

from semseg_client.errors import ServingError
from semseg_client.exporter import find_exporter

WITH_PADDLE = "#!/bin/sh\nexit 0\n"
WITHOUT = "#!/bin/sh\nexit 1\n"


def environment(folder: Path, python: str) -> Path:
    """The `bin` of an environment whose Python answers, when asked for Paddle, as told."""
    folder.mkdir(parents=True)
    for name, content in (("python", python), ("semseg-export", "#!/bin/sh\n")):
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that runs: it has the command, but no Paddle."""
    folder = environment(tmp_path / "serving" / "bin", WITHOUT)
    monkeypatch.setattr(sys, "prefix", str(folder.parent))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_environment_inside_this_one_comes_first(serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(environment(tmp_path / "other", WITH_PADDLE)))
    inside = environment(serving.parent / "export" / "bin", WITH_PADDLE)
    assert find_exporter() == inside / "semseg-export"


def test_a_command_without_paddle_is_passed_over(serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = environment(tmp_path / "other", WITH_PADDLE)
    links = tmp_path / "links"
    links.mkdir()
    (links / "semseg-export").symlink_to(real / "semseg-export")
    monkeypatch.setenv("PATH", f"{serving}:{links}")
    assert find_exporter() == links / "semseg-export"


def test_how_to_install_one_is_told(serving: Path) -> None:
    assert (serving / "semseg-export").exists()
    with pytest.raises(ServingError, match=r"make setup.*pip install 'paddle-semseg-triton\[export\]'"):
        find_exporter()
