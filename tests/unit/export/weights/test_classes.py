from __future__ import annotations

from pathlib import Path

import pytest

from semseg_contract.datasets import ADE20K, CITYSCAPES
from semseg_export.errors import ClassesError
from semseg_export.weights import zoo
from semseg_export.weights.classes import class_names


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


def test_names_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_bytes("\ufeffroad\r\nÖffentlicher Weg\r\n\r\n".encode())
    assert class_names("PP-LiteSeg-T", 2, file) == ["road", "Öffentlicher Weg"]


def test_a_file_with_another_number_of_names_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("road\n")
    with pytest.raises(ClassesError, match="names 1 classes, but the network has 2"):
        class_names("PP-LiteSeg-T", 2, file)
