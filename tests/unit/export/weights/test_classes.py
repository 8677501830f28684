from __future__ import annotations

from pathlib import Path

import pytest

from semseg_contract.datasets import ADE20K, CITYSCAPES
from semseg_export.errors import ClassesError
from semseg_export.weights import zoo
from semseg_export.weights.classes import class_names, misfit, told


def test_every_network_of_paddlex_has_the_names_of_its_data_set() -> None:
    assert len(set(CITYSCAPES.classes)) == 19
    assert len(set(ADE20K.classes)) == 150
    for network in zoo.NETWORKS:
        names = ADE20K.classes if network.family in ("SeaFormer", "MaskFormer") else CITYSCAPES.classes
        assert class_names(network.name, len(names), None) == list(names)
    assert class_names("PP-LiteSeg-Demo", 19, None) == list(CITYSCAPES.classes)


def test_a_network_trained_anew_has_numbered_classes() -> None:
    assert class_names("PP-LiteSeg-T", 2, None) == ["class 0", "class 1"]
    assert class_names("my-roads", 19, None)[18] == "class 18"


def test_labels_of_another_number_are_told_unless_a_file_names_the_classes(tmp_path: Path) -> None:
    labels = ("background", "road", "car")
    assert class_names("roads", 2, None, labels) == ["class 0", "class 1"]
    [note] = misfit(2, None, labels, "model.yml")
    assert note.startswith("model.yml names 3 classes, but the network has 2: its names are not used.")
    assert misfit(3, None, labels, "model.yml") == misfit(2, None, None, "model.yml") == ()
    assert misfit(2, tmp_path / "classes.txt", labels, "model.yml") == ()


def test_names_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_bytes("\ufeffroad\r\nÖffentlicher Weg\r\n\r\n".encode())
    assert class_names("PP-LiteSeg-T", 2, file) == ["road", "Öffentlicher Weg"]


@pytest.mark.parametrize("lines", ["1 car\n0 road\n", "1: car\n0: road\n", "0,road\n1,car\n", "0\troad\n1\tcar\n"])
def test_lines_that_begin_with_class_ids_are_put_in_their_order(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "classes.txt"
    file.write_text(lines)
    assert class_names("PP-LiteSeg-T", 2, file) == ["road", "car"]


@pytest.mark.parametrize("lines", ["2 lanes\n1 lane\n", "1 lane\n1 kerb\n", "0 road\nrest\n"])
def test_other_numbers_belong_to_the_names(tmp_path: Path, lines: str) -> None:
    file = tmp_path / "classes.txt"
    file.write_text(lines)
    assert class_names("PP-LiteSeg-T", 2, file) == lines.splitlines()


def test_a_file_with_another_number_of_names_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("road\n")
    with pytest.raises(ClassesError, match="names 1 classes, but the network has 2"):
        class_names("PP-LiteSeg-T", 2, file)


@pytest.mark.parametrize(("encoding", "name"), [("gbk", "GBK"), ("utf-16", "UTF-16")])
def test_names_in_another_encoding_are_read_and_told(tmp_path: Path, encoding: str, name: str) -> None:
    file = tmp_path / "classes.txt"
    file.write_bytes("道路\r\n人行道\r\n".encode(encoding))
    names = class_names("PP-LiteSeg-T", 2, file)
    assert names == ["道路", "人行道"]
    assert told(file, names) == f" (names in {name}: 道路, 人行道)"
    file.write_text("道路\n人行道\n", encoding="utf-8")
    assert told(file, names) == told(None, names) == ""


def test_a_file_of_an_unknown_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_bytes("road\nStraße\n".encode("latin-1"))
    with pytest.raises(ClassesError, match=r"classes\.txt: line 2: is neither UTF-8 nor GBK; save it as UTF-8"):
        class_names("PP-LiteSeg-T", 2, file)
