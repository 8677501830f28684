from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from semseg_client import ServingError, create_pipeline
from semseg_client.hosting.weights_folder import exported, name_of

ARCHIVE = {"inference.json": "graph", "inference.pdiparams": "weights", "inference.yml": "pixels", "classes.txt": "road"}
TRAINED = {"model.pdparams": "weights", "config.yaml": "pixels", "classes.txt": "road"}


def filled(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("roads", "roads-"),
        ("best model (2)", "best-model-2-"),
        ("道路", "weights-"),
        (".hidden", "hidden-"),
        ("a" * 200, "a" * 64),
    ],
)
def test_a_name_is_one_that_a_model_may_have(name: str, start: str, tmp_path: Path) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{8}", name_of(tmp_path / name))
    assert name_of(tmp_path / name).startswith(start)
    assert name_of(tmp_path / name) != name_of(tmp_path / "elsewhere" / name)


def test_a_folder_has_one_name_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "roads").mkdir()
    monkeypatch.chdir(tmp_path)
    assert name_of(Path("roads")) == name_of(tmp_path / "roads") == name_of(Path("./roads/../roads"))


@pytest.mark.parametrize("changed", ARCHIVE)
def test_it_is_exported_once_and_again_after_any_change_of_what_counts(
    changed: str, tmp_path: Path, calls: Callable[[], list[list[str]]]
) -> None:
    folder, repository = filled(tmp_path / "roads", ARCHIVE), tmp_path / "models"
    for _ in range(2):
        assert exported(folder, None, repository) == name_of(folder)
        (folder / "train.log").write_text("counts for nothing")
        os.utime(folder / changed)
    assert len(calls()) == 1
    assert (repository / "draw" / "1" / "model.py").is_file()
    (folder / changed).write_text("another")
    exported(folder, None, repository)
    assert len(calls()) == 2


@pytest.mark.parametrize("changed", ["training.yml", "inference/inference.yml", "../config.yaml", "../base.yml"])
def test_trained_weights_are_exported_again_after_a_change_of_what_describes_them(
    changed: str, tmp_path: Path, calls: Callable[[], list[list[str]]]
) -> None:
    folder = filled(tmp_path / "output" / "best_model", {"model.pdparams": "weights", "._model.pdparams": "macOS's"})
    filled(folder / "inference", {})
    (folder / "roads.yml").write_text("_base_: [../other.yml]")
    (folder / "../other.yml").write_text("_base_: base.yml")
    for content in ("before", "after"):
        (folder / changed).write_text(content)
        exported(folder, "PP-LiteSeg-T", tmp_path / "models")
    assert len(calls()) == 2


def test_what_an_export_left_half_changed_is_exported_again(tmp_path: Path, calls: Callable[[], list[list[str]]]) -> None:
    folder, repository = filled(tmp_path / "roads", ARCHIVE), tmp_path / "models"
    name = exported(folder, None, repository)
    network = repository / f"{name}_network" / "config.pbtxt"
    network.write_text("version_policy { specific { versions: 2 } }")
    exported(folder, None, repository)
    network.unlink()
    exported(folder, None, repository)
    assert len(calls()) == 3


def test_the_exporter_gets_what_it_needs(tmp_path: Path, calls: Callable[[], list[list[str]]]) -> None:
    repository = tmp_path / "models"
    filled(tmp_path / "a" / "inference", ARCHIVE)
    exported(tmp_path / "a", "PP-LiteSeg-T", repository)
    exported(filled(tmp_path / "b", TRAINED), "SegFormer-B0", repository)
    archive, trained = calls()
    assert archive[2] == str(tmp_path / "a" / "inference")
    classes = str(tmp_path / "a" / "inference" / "classes.txt")
    assert archive[5:] == ["--classes", classes, "--repository", str(repository)]
    assert trained[2] == str(tmp_path / "b" / "model.pdparams")
    classes = str(tmp_path / "b" / "classes.txt")
    assert trained[5:] == ["--classes", classes, "--architecture", "SegFormer-B0", "--repository", str(repository)]
    exported(tmp_path / "b", "SegFormer-B1", repository)
    assert len(calls()) == 3


def test_the_exporters_refusal_is_told_in_a_line(tmp_path: Path, calls: Callable[[str], list[list[str]]]) -> None:
    folder = filled(tmp_path / "roads", ARCHIVE)
    calls("Export failed: the network is no good")
    with pytest.raises(ServingError) as raised:
        exported(folder, None, tmp_path / "models")
    assert str(raised.value) == f"{folder} cannot be exported: the network is no good"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (None, "does not exist: expected a folder of weights"),
        ({}, "holds no weights: no inference.json or such with its .pdiparams, and no .pdparams"),
        (TRAINED, "model.pdparams does not say which network it is: set model_name in the pipeline's file"),
        ({**TRAINED, "b.pdparams": ""}, "holds several weight files (b.pdparams, model.pdparams): keep only one"),
    ],
)
def test_a_folder_without_weights_is_told(files: dict[str, str] | None, told: str, tmp_path: Path) -> None:
    folder = tmp_path / "roads" if files is None else filled(tmp_path / "roads", files)
    with pytest.raises(ServingError, match=re.escape(told)) as raised:
        create_pipeline(model=folder, repository=tmp_path / "models")
    assert str(raised.value).startswith(str(folder))
    assert not (tmp_path / "models").exists()


def test_several_folders_with_networks_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        filled(tmp_path / "roads" / name, ARCHIVE)
    with pytest.raises(ServingError, match="roads: holds a network in each of a and b: pass one of these folders"):
        create_pipeline(model=tmp_path / "roads", repository=tmp_path / "models")


def test_a_repository_that_cannot_be_made_is_told(tmp_path: Path, calls: Callable[[], list[list[str]]]) -> None:
    folder = filled(tmp_path / "roads", ARCHIVE)
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ServingError, match=re.escape(f"{tmp_path / 'models'}: File exists")):
        exported(folder, None, tmp_path / "models")
    assert calls() == []


def test_a_running_server_is_not_helped_by_a_folder_here(tmp_path: Path) -> None:
    with pytest.raises(
        ServingError, match=r"the server at host:1 serves models by name, and .*roads is a folder: export it into"
    ):
        create_pipeline(model=f"{tmp_path}/roads", url="host:1")
