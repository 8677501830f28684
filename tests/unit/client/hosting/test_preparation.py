from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from semseg_client import Device, DeviceError, ServingError
from semseg_client.hosting.preparation import prepared
from semseg_client.hosting.weights_folder import name_of
from semseg_client.types import NameOrFolder
from tests.unit.client.hosting.test_repository import ENSEMBLE, add

Calls = Callable[..., list[list[str]]]


def holding_weights(folder: Path) -> Path:
    folder.mkdir()
    (folder / "inference.json").write_text("graph")
    return folder


def test_a_network_of_paddlexs_is_exported_once_and_told(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "new" / "models"
    for _ in range(2):
        assert prepared("PP-LiteSeg-T", repository) == "PP-LiteSeg-T"
    assert calls() == [["PP-LiteSeg-T", "--repository", str(repository)]]
    assert capsys.readouterr().err == f"Exporting PP-LiteSeg-T to {repository}\n"
    assert (repository / "draw" / "1" / "model.py").is_file()


@pytest.mark.parametrize("name", ["pp-liteseg-t", "PP-LiteSeg-T-int8", "PP-LiteSeg-Demo"])
def test_no_other_name_is_exported(name: str, tmp_path: Path, calls: Calls) -> None:
    with pytest.raises(ServingError):
        prepared(name, tmp_path / "models")
    assert calls() == []
    assert not (tmp_path / "models").exists()


def test_a_device_that_is_not_there_is_told_before_an_export(tmp_path: Path, calls: Calls) -> None:
    with pytest.raises(DeviceError, match="needs CANNExecutionProvider"):
        prepared("PP-LiteSeg-T", tmp_path / "models", device=Device.parse("npu:0"))
    assert calls() == []


def test_the_exporters_refusal_is_told_in_a_line(tmp_path: Path, calls: Calls) -> None:
    calls("Export failed: https://host could not be downloaded")
    with pytest.raises(ServingError) as raised:
        prepared("PP-LiteSeg-T", tmp_path / "models")
    assert str(raised.value) == "PP-LiteSeg-T cannot be exported: https://host could not be downloaded"


def test_without_an_exporter_it_is_told_how_to_get_one_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semseg_client.hosting.exporter._candidates", lambda: iter(()))
    with pytest.raises(ServingError, match=r"PP-LiteSeg-T is not exported yet, and .* semseg setup-export"):
        prepared("PP-LiteSeg-T", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_repository_that_cannot_be_made_is_told(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ServingError, match=re.escape(f"PP-LiteSeg-T cannot be exported: {tmp_path / 'models'}: File exists")):
        prepared("PP-LiteSeg-T", tmp_path / "models")
    assert calls() == []


@pytest.mark.parametrize("name", ["PP-LiteSeg-T", "roads"])
def test_an_exported_model_comes_before_a_folder_of_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    add(tmp_path / "models", name, ENSEMBLE)
    (tmp_path / name).mkdir()
    assert prepared(NameOrFolder(name, Path(name)), Path("models")) == name
    assert capsys.readouterr().err == ""
    (tmp_path / name / "model.pdparams").touch()
    assert prepared(NameOrFolder(name, Path(name)), Path("models")) == name
    assert calls() == []
    told = f"{name}: using the model of that name in models, not the weights in {name}; for those, write ./{name}\n"
    assert capsys.readouterr().err == told


def test_a_folder_that_holds_weights_comes_before_paddlexs(
    tmp_path: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = holding_weights(tmp_path / "PP-LiteSeg-T")
    assert prepared(NameOrFolder("PP-LiteSeg-T", folder), tmp_path / "models") == name_of(folder)
    told = f"using the weights in {folder}, not PaddleX's; for PaddleX's, export them: semseg export PP-LiteSeg-T"
    assert capsys.readouterr().err == f"PP-LiteSeg-T: {told}\nExporting {folder} to {tmp_path / 'models'}\n"
    roads = holding_weights(tmp_path / "roads")
    assert prepared(NameOrFolder("roads", roads), tmp_path / "models") == name_of(roads)
    assert capsys.readouterr().err == f"Exporting {roads} to {tmp_path / 'models'}\n"
    assert [call[0] for call in calls()] == [name_of(folder), name_of(roads)]


def test_a_folder_without_weights_is_passed_over_for_paddlexs_and_told_otherwise(tmp_path: Path, calls: Calls) -> None:
    for name in ("PP-LiteSeg-T", "roads"):
        (tmp_path / name).mkdir()
    assert prepared(NameOrFolder("PP-LiteSeg-T", tmp_path / "PP-LiteSeg-T"), tmp_path / "models") == "PP-LiteSeg-T"
    assert len(calls()) == 1
    with pytest.raises(ServingError, match="roads holds no weights"):
        prepared(NameOrFolder("roads", tmp_path / "roads"), tmp_path / "models")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, calls: Calls) -> None:
    folder = holding_weights(tmp_path / "PP-LiteSeg-T")
    folder.chmod(0)
    with pytest.raises(ServingError, match="Permission denied"):
        prepared(NameOrFolder("PP-LiteSeg-T", folder), tmp_path / "models")
    assert calls() == []
