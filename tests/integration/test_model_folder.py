"""A folder of weights as a pipeline's model: exported once, again after each change, and never left half exported."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from demo.run import SERVING
from semseg_client import ServingError, create_pipeline
from semseg_client.hosting.weights_folder import name_of
from semseg_client.results.result import Result
from tests.support import DEMO_WEIGHTS, STREET

USE = "import sys; from semseg_client.hosting.weights_folder import exported; from pathlib import Path"
USE += "; print(exported(Path(sys.argv[1]), None, Path(sys.argv[2])))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's weights, with a pipeline's file beside them."""
    folder = tmp_path_factory.mktemp("mine")
    shutil.copytree(DEMO_WEIGHTS, folder / "my streets")
    (folder / "pipeline.yaml").write_text(
        "pipeline_name: semantic_segmentation\n"
        "SubModules: {SemanticSegmentation: {model_dir: my streets}}\n"
        f"repository: {folder}/models\n"
    )
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    command: list[str | Path] = [sys.executable, "-c", USE, folder / "my streets", folder / "models"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def versions(folder: Path) -> list[str]:
    return sorted(entry.name for entry in (folder / "models" / f"{name_of(folder / 'my streets')}_network").glob("[0-9]*"))


def segmented(folder: Path) -> Result:
    with create_pipeline(folder / "pipeline.yaml") as pipeline:
        [result] = pipeline.predict(STREET)
    return result


def test_what_an_export_that_is_killed_leaves_is_cleared_and_two_processes_export_once(folder: Path) -> None:
    killed = start(folder)
    while not (
        exporters := [each for each in psutil.Process(killed.pid).children() if "semseg-export" in " ".join(each.cmdline())]
    ):
        time.sleep(0.05)
        assert killed.poll() is None
    time.sleep(2)  # let it get to work
    killed.kill()
    killed.communicate()
    both = [start(folder), start(folder)]
    told = [process.communicate(timeout=300) for process in both]
    assert [out for out, _ in told] == [f"{name_of(folder / 'my streets')}\n"] * 2
    mine = folder / "my streets"
    assert {err for _, err in told} == {f"Exporting {mine} to {folder}/models\n", f"Waiting for another export before {mine}\n"}
    assert psutil.wait_procs(exporters, timeout=30)[1] == []
    assert versions(folder) == ["1"]
    assert {entry.name for entry in folder.iterdir()} == {"models", "my streets", "pipeline.yaml"}


def test_what_is_exported_is_not_exported_again_and_needs_no_exporter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semseg_client.hosting.exporter.find_exporter", lambda: pytest.fail("exports again"))
    result = segmented(folder)
    assert result.classes[0].name == "road"
    assert versions(folder) == ["1"]


def test_a_change_is_exported_by_paddlexs_command_too_and_reaches_pipelines_that_are_open(folder: Path) -> None:
    with create_pipeline(folder / "pipeline.yaml") as pipeline:
        [before] = pipeline.predict(STREET)
        names = folder / "my streets" / "classes.txt"
        names.write_text(names.read_text().replace("road", "lane"))
        serve_up_to_the_port(folder)
        assert versions(folder) == ["1", "2"]
        after = segmented(folder)
        [still_open] = pipeline.predict(STREET)
    assert [result.classes[0].name for result in (before, after, still_open)] == ["road", "lane", "lane"]
    np.testing.assert_array_equal(before.label_map, after.label_map)


def serve_up_to_the_port(folder: Path) -> None:
    """Run `semseg --serve` up to the point where it would listen: the port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command: list[str | Path] = [SERVING / "semseg", "--serve", "--pipeline", folder / "pipeline.yaml", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == f"Starting tritonserver with {name_of(folder / 'my streets')}\n", done.stderr
    assert done.returncode == 1
    assert port in done.stderr


@pytest.mark.parametrize("damage", ["classes", "weights", "empty", "nowhere"])
def test_a_folder_that_cannot_be_exported_is_told_in_a_line(folder: Path, tmp_path: Path, damage: str) -> None:
    mine = tmp_path / "mine"
    told = {
        "classes": "names 1 classes, but the network has 19",
        "weights": "inference.pdiparams is cut off",
        "empty": "holds no weights",
        "nowhere": "does not exist: expected a folder of weights",
    }
    if damage != "nowhere":
        shutil.copytree(folder / "my streets", mine)
    match damage:
        case "classes":
            (mine / "classes.txt").write_text("road\n")
        case "weights":
            os.truncate(mine / "inference.pdiparams", 1000)
        case "empty":
            (mine / "inference.json").unlink()
    with pytest.raises(ServingError, match=told[damage]) as raised:
        create_pipeline(model=mine, repository=folder / "models")
    assert len(str(raised.value).splitlines()) == 1
    assert str(raised.value).startswith(str(mine))
    assert not list((folder / "models").glob(f"{name_of(mine)}*"))
