from __future__ import annotations

from pathlib import Path

import pytest

from semseg_contract.paddle_files import SeveralNetworks, files_read, network_files, network_folder


def touched(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_the_network_is_in_the_folder_or_in_the_only_one_inside(tmp_path: Path) -> None:
    inside = touched(tmp_path / "net", "inference.json", "inference.pdiparams")
    touched(tmp_path / "images", "a.jpg")
    touched(tmp_path / ".hidden", "inference.json", "inference.pdiparams")
    assert network_folder(tmp_path) == inside
    touched(tmp_path / "other", "model.pdmodel", "model.pdiparams")
    with pytest.raises(SeveralNetworks, match="holds a network in each of net and other"):
        network_folder(tmp_path)
    touched(tmp_path, "inference.json", "inference.pdiparams")
    assert network_folder(tmp_path) == tmp_path


def test_the_files_that_macos_adds_are_no_networks(tmp_path: Path) -> None:
    touched(tmp_path, "inference.json", "inference.pdiparams", "._inference.json", "._inference.pdiparams")
    assert network_files(tmp_path) == [tmp_path / "inference.json"]


def test_what_is_read_of_an_onnx_file_includes_weights_beside_it(tmp_path: Path) -> None:
    touched(tmp_path, "inference.onnx", "inference.onnx.data", "inference.yml", ".DS_Store")
    assert [file.name for file in files_read(tmp_path)] == ["inference.onnx", "inference.onnx.data", "inference.yml"]
    touched(tmp_path, "inference.json", "inference.pdiparams")
    assert tmp_path / "inference.onnx.data" not in files_read(tmp_path)
