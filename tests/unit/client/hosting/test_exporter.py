from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from semseg_client.errors import ServingError
from semseg_client.giving_up import given_up
from semseg_client.hosting import exporter_environment
from semseg_client.hosting.exporter import find_exporter, run_exporter
from semseg_contract.lock import locked


def command(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "semseg-export"
    file.write_text("#!/bin/sh\n")
    file.chmod(mode)
    return file


@pytest.fixture(autouse=True)
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `bin` folder of the running environment."""
    folder = tmp_path / "serving" / "bin"
    monkeypatch.setattr(sys, "prefix", str(folder.parent))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return folder


def test_the_environment_inside_this_one_comes_first_and_the_path_last(serving: Path, tmp_path: Path) -> None:
    on_path = command(tmp_path / "path")
    assert find_exporter() == on_path
    set_up = command(exporter_environment.place() / "bin")
    assert tmp_path / "data" in set_up.parents
    assert find_exporter() == set_up
    beside = command(serving)
    assert find_exporter() == beside
    inside = command(serving.parent / "export" / "bin")
    assert find_exporter() == inside


def test_what_cannot_be_run_is_passed_over(tmp_path: Path) -> None:
    command(tmp_path / "path", 0o644)
    with pytest.raises(ServingError, match="exporting needs Paddle"):
        find_exporter()


def test_how_to_install_one_is_told() -> None:
    with pytest.raises(ServingError, match=r"semseg setup-export \(in the project's folder: make setup\)"):
        find_exporter()


def test_without_a_home_folder_the_path_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    on_path = command(tmp_path / "path")
    assert find_exporter() == on_path


def test_a_wait_for_another_export_is_told_and_can_be_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(tmp_path), ThreadPoolExecutor() as pool:
        ended = threading.Event()

        def waiting() -> None:
            given_up.set(ended)
            run_exporter("roads", ["roads"], tmp_path / "models", lambda: False)

        export = pool.submit(copy_context().run, waiting)
        with pytest.raises(TimeoutError):
            export.result(0.5)
        ended.set()
        with pytest.raises(ServingError, match="the export was given up"):
            export.result(5)
    assert capsys.readouterr().err == "Waiting for another export before roads\n"
