"""Samples for validation are found in each layout, with the class ids that the model was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg_client import InvalidInput, UnreadableInput
from semseg_client.evaluation.datasets import data_set


def write(file: Path, values: object, mode: str | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, np.uint8))
    (image.convert(mode) if mode else image).save(file)
    return file


def test_a_list_of_paddlesegs(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.jpg", np.zeros((1, 2, 3)))
    write(tmp_path / "labels" / "a.png", [[3, 255]])
    (tmp_path / "val.txt").write_text("images/a.jpg labels/a.png\n\nimages/b c.jpg\tlabels/b c.png\n")
    for given in (tmp_path, tmp_path / "val.txt"):
        found = data_set(given)
        assert [sample.name for sample in found.samples] == ["images/a.jpg", "images/b c.jpg"]
        assert found.samples[1].truth == tmp_path / "labels" / "b c.png"
        assert found.truth(found.samples[0]).tolist() == [[3, 255]]


def test_cityscapes_own_ids_become_those_of_training(tmp_path: Path) -> None:
    write(tmp_path / "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png", np.zeros((1, 4, 3)))
    write(tmp_path / "gtFine/val/ulm/ulm_1_gtFine_labelIds.png", [[7, 33, 0, 11]])
    found = data_set(tmp_path)
    assert [sample.name for sample in found.samples] == ["val/ulm/ulm_1"]
    assert found.truth(found.samples[0]).tolist() == [[0, 18, 255, 2]]
    write(tmp_path / "gtFine/val/ulm/ulm_1_gtFine_labelTrainIds.png", [[5, 18, 255, 0]])
    assert data_set(tmp_path).truth(data_set(tmp_path).samples[0]).tolist() == [[5, 18, 255, 0]]


def test_ade20k_counts_from_one(tmp_path: Path) -> None:
    write(tmp_path / "images/validation/x.jpg", np.zeros((1, 3, 3)))
    write(tmp_path / "annotations/validation/x.png", [[0, 1, 150]])
    found = data_set(tmp_path)
    assert found.truth(found.samples[0]).tolist() == [[255, 0, 149]]


def test_a_palette_image_gives_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[4, 9]], np.uint8))
    image.putpalette([9, 8, 7] * 256)
    image.save(tmp_path / "truth.png")
    (tmp_path / "val.txt").write_text("a.jpg truth.png")
    found = data_set(tmp_path)
    assert found.truth(found.samples[0]).tolist() == [[4, 9]]


def truth_of(folder: Path) -> np.ndarray:
    (folder / "val.txt").write_text("a.jpg truth.png")
    found = data_set(folder)
    return found.truth(found.samples[0])


def test_what_holds_no_class_ids_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"truth\.png: there is no such file"):
        truth_of(tmp_path)
    write(tmp_path / "truth.png", np.zeros((2, 2, 3)))
    with pytest.raises(UnreadableInput, match=r"truth\.png: is a colour image \(RGB\), but the ground truth must"):
        truth_of(tmp_path)
    (tmp_path / "truth.png").write_bytes(b"no image")
    with pytest.raises(UnreadableInput, match=r"truth\.png: cannot be read"):
        truth_of(tmp_path)
    Image.fromarray(np.array([[300]], np.uint16)).save(tmp_path / "truth.png")
    with pytest.raises(UnreadableInput, match=r"truth\.png: has values from 300 to 300, but class ids go from 0 to 255"):
        truth_of(tmp_path)


def test_fractions_are_no_class_ids(tmp_path: Path) -> None:
    Image.fromarray(np.array([[1.5]], np.float32)).save(tmp_path / "truth.tif")
    (tmp_path / "val.txt").write_text("a.jpg truth.tif")
    found = data_set(tmp_path)
    with pytest.raises(UnreadableInput, match=r"truth\.tif: holds fractions \(F\)"):
        found.truth(found.samples[0])


def test_a_list_may_be_written_by_windows_in_china(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes("街道/一.jpg 标注/一.png\r\n".encode("gbk"))
    [sample] = data_set(tmp_path).samples
    assert sample.truth == tmp_path / "标注" / "一.png"
    (tmp_path / "val.txt").write_bytes(b"\xff\x00\x81")
    with pytest.raises(InvalidInput, match=r"val\.txt: cannot be read: line 1: is neither UTF-8 nor GBK"):
        data_set(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "has no data set that this command knows: pass a folder with val.txt"),
        ("", "there are no images for validation in it"),
        ("a.jpg", r"val\.txt, line 1: must be an image and its ground truth"),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "val.txt").write_text(content)
    with pytest.raises(InvalidInput, match=told):
        data_set(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        data_set(tmp_path / "nowhere")
