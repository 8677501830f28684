from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client import Segmentation
from semseg_client.outputs import Output, save
from semseg_client.result import Result

LABEL_MAP = np.array([[0, 0, 1], [0, 1, 1]], np.uint8)
PIXELS = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1].tobytes()


def result(suffix: str) -> Result:
    segmentation = Segmentation(LABEL_MAP, None, "demo", ("road", "car"), ((200, 0, 0), (0, 100, 0)))
    return Result(segmentation=segmentation, image=PIXELS, name="x", suffix=suffix)


@pytest.mark.parametrize(("suffix", "written"), [(".JPG", ".JPG"), (".bmp", ".bmp"), (".mp4", ".png"), ("", ".png")])
def test_each_output_is_a_file_of_its_own(suffix: str, written: str, tmp_path: Path) -> None:
    files = save(result(suffix), Output, tmp_path)
    assert [file.name for file in files] == [
        f"x_res{written}",
        "x_res.json",
        "x_ids.png",
        f"x_overlay{written}",
        "x_polygons.geojson",
    ]
    assert sorted(files) == sorted(tmp_path.iterdir())


def test_the_overlay_is_half_the_image_and_half_the_colours(tmp_path: Path) -> None:
    [file] = save(result(".png"), [Output.OVERLAY], tmp_path)
    with Image.open(file) as overlay:
        assert np.asarray(overlay).tolist()[0] == [[100, 0, 0], [100, 0, 0], [0, 50, 0]]


def test_the_polygons_are_geojson(tmp_path: Path) -> None:
    [file] = save(result(".png"), [Output.POLYGONS], tmp_path)
    assert json.loads(file.read_text()) == result(".png").polygons()


def test_compact_json_has_no_white_space(tmp_path: Path) -> None:
    [file] = save(result(".png"), [Output.JSON], tmp_path, compact=True)
    assert file.read_text() == '{"input_path":null,"page_index":null,"pred":[[[0,0,1],[0,1,1]]]}'
