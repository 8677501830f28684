from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client import Segmentation
from semseg_client.results.outputs import Output
from semseg_client.results.render import file_name, render
from semseg_client.results.result import Result

LABEL_MAP = np.array([[0, 0, 1], [0, 1, 1]], np.uint8)
PIXELS = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1].tobytes()


def result(suffix: str) -> Result:
    segmentation = Segmentation(LABEL_MAP, None, "demo", ("road", "car"), ((200, 0, 0), (0, 100, 0)))
    return Result(segmentation=segmentation, image=PIXELS, name="x", suffix=suffix)


@pytest.mark.parametrize(("suffix", "written"), [(".JPG", ".JPG"), (".bmp", ".bmp"), (".mp4", ".png"), ("", ".png")])
def test_each_output_is_a_file_of_its_own(suffix: str, written: str) -> None:
    assert [file_name(result(suffix), output) for output in Output] == [
        f"x_res{written}",
        "x_res.json",
        "x_ids.png",
        f"x_overlay{written}",
        "x_polygons.geojson",
    ]


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ""])
def test_what_is_rendered_is_what_a_result_saves(suffix: str, tmp_path: Path) -> None:
    found = result(suffix)
    saved = (
        found.save_to_img(tmp_path),
        found.save_to_json(tmp_path),
        found.save_to_png(tmp_path),
        found.save_to_overlay(tmp_path),
        found.save_to_geojson(tmp_path),
    )
    for file, output in zip(saved, Output, strict=True):
        assert (file.name, file.read_bytes()) == (file_name(found, output), render(found, output))


def test_the_overlay_is_half_the_image_and_half_the_colours() -> None:
    with Image.open(io.BytesIO(render(result(".png"), Output.OVERLAY))) as overlay:
        assert np.asarray(overlay).tolist()[0] == [[100, 0, 0], [100, 0, 0], [0, 50, 0]]


def test_the_polygons_are_geojson() -> None:
    assert json.loads(render(result(".png"), Output.POLYGONS)) == result(".png").polygons()


def test_compact_json_has_no_white_space() -> None:
    compact = render(result(".png"), Output.JSON, compact=True)
    assert compact == b'{"input_path":null,"page_index":null,"pred":[[[0,0,1],[0,1,1]]]}'
