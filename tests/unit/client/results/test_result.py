from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client import Segmentation
from semseg_client.results.result import Result

PALETTE = ((128, 0, 0), (0, 128, 0), (128, 128, 0))
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 40, 3), np.uint8)
LABEL_MAP = RNG.integers(0, 3, (24, 40)).astype(np.uint8)
LABEL_MAP.flags.writeable = False
COLOURS = np.array(PALETTE, np.uint8)[LABEL_MAP]


def png(pixels: np.typing.NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def result(picture: bytes | None = None, **fields: Any) -> Result:
    segmentation = Segmentation(LABEL_MAP, picture, "demo", ("road", "car", "<sky>"), PALETTE)
    return dataclasses.replace(
        Result(segmentation=segmentation, image=png(PIXELS), name="x", suffix=".png", input_path="in/x.png"), **fields
    )


def read(path: Path) -> np.typing.NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_it_tells_what_the_segmentation_does() -> None:
    assert result().size == (24, 40)
    assert result().model == "demo"
    assert result().label_map is LABEL_MAP
    assert sum(each.pixels for each in result().classes) == LABEL_MAP.size


# PaddleX's interface


def test_print_abbreviates_the_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    result().print()
    assert capsys.readouterr().out == "{'res': {'input_path': 'in/x.png', 'page_index': None, 'pred': '...'}}\n"


@pytest.mark.parametrize("flag", ["json_format", "format_json"])
def test_print_prints_json_when_told_so_by_either_name(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    result(input_path="街").print(**{flag: True}, indent=1)
    assert capsys.readouterr().out == '{\n "res": {\n  "input_path": "街",\n  "page_index": null,\n  "pred": "..."\n }\n}\n'


def test_format_json_false_prints_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    result().print(format_json=False)
    assert capsys.readouterr().out == f"{result().str}\n"


def test_json_is_as_paddlex_has_it_and_can_be_dumped() -> None:
    content = result(page_index=2).json
    assert content == {"res": {"input_path": "in/x.png", "page_index": 2, "pred": [LABEL_MAP.tolist()]}}
    assert json.loads(json.dumps(content)) == content


def test_img_is_the_classes_in_the_colours_of_the_palette() -> None:
    picture = result().img["res"]
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), COLOURS)


def test_it_is_a_mapping_with_paddlex_s_keys() -> None:
    assert list(result()) == ["input_path", "page_index", "input_img", "pred"]
    assert len(result()) == 4
    assert result()["input_path"] == "in/x.png"
    assert np.array_equal(result()["input_img"], PIXELS)
    assert np.array_equal(result()["pred"], LABEL_MAP[np.newaxis])
    assert result()["pred"].dtype == np.int32
    assert result().get("no such") is None


def test_it_equals_itself_only_and_can_be_in_a_set() -> None:
    one, other = result(), result()
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize(
    ("suffix", "file"),
    [
        (".png", "x_res.png"),
        (".JPG", "x_res.JPG"),
        (".webp", "x_res.webp"),
        (".pdf", "x_res.png"),
        (".ras", "x_res.png"),
        ("", "x_res.png"),
    ],
)
def test_a_picture_goes_into_a_folder_under_the_image_s_suffix_or_png(suffix: str, file: str, tmp_path: Path) -> None:
    path = result(suffix=suffix).save_to_img(tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / file
    assert read(path).shape == (24, 40, 3)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("file", ["y.png", "y.bmp", "y.tiff", "y.ppm", "y.WebP"])
def test_a_path_with_an_image_s_suffix_is_used_as_it_is(file: str, tmp_path: Path) -> None:
    path = result().save_to_img(str(tmp_path / "new" / file))
    assert path == tmp_path / "new" / file
    assert np.array_equal(read(path), COLOURS)


def test_a_folder_with_an_image_s_suffix_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    assert result().save_to_img(tmp_path / "a.jpg") == tmp_path / "a.jpg" / "x_res.png"


@pytest.mark.parametrize("file", ["y.jpg", "y.JPEG"])
def test_a_jpeg_is_the_server_s_own(file: str, tmp_path: Path) -> None:
    assert result(b"the server's").save_to_img(tmp_path / file).read_bytes() == b"the server's"


def test_a_jpeg_is_drawn_if_the_server_drew_none_and_other_formats_always(tmp_path: Path) -> None:
    with Image.open(result().save_to_img(tmp_path / "y.jpg")) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (40, 24)
    assert np.array_equal(read(result(b"the server's").save_to_img(tmp_path / "y.png")), COLOURS)


def test_json_goes_into_a_folder_or_a_file(tmp_path: Path) -> None:
    into_folder = result().save_to_json(tmp_path / "new")
    into_file = result().save_to_json(tmp_path / "other" / "y.json", indent=2, ensure_ascii=True, compact=True)
    assert (into_folder, into_file) == (tmp_path / "new" / "x_res.json", tmp_path / "other" / "y.json")
    assert json.loads(into_folder.read_bytes()) == json.loads(into_file.read_bytes()) == result().json["res"]
    assert b" " not in into_file.read_bytes()


def test_save_all_saves_picture_and_json(tmp_path: Path) -> None:
    assert result().save_all(tmp_path) == (tmp_path / "x_res.png", tmp_path / "x_res.json")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "x_res.json", tmp_path / "x_res.png"]


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"here")
    for save in (result().save_to_img, result().save_to_json, result().save_to_png):
        with pytest.raises(FileExistsError, match="file"):
            save(tmp_path / "file")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"here"]


# Beyond PaddleX


@pytest.mark.parametrize("greatest", [0, 1, 18, 255])
def test_a_png_of_the_ids_gives_the_label_map_back(greatest: int, tmp_path: Path) -> None:
    label_map = RNG.integers(0, greatest, (5, 7), endpoint=True).astype(np.uint8)
    segmentation = Segmentation(label_map, None, "demo", (), PALETTE)
    path = result(segmentation=segmentation).save_to_png(tmp_path)
    assert path == tmp_path / "x_ids.png"
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), label_map)


def test_a_png_of_the_ids_shows_the_palette_s_colours(tmp_path: Path) -> None:
    path = result().save_to_png(tmp_path / "y.png")
    assert path == tmp_path / "y.png"
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture.convert("RGB")), COLOURS)


def test_the_overlay_goes_from_the_image_to_the_colours() -> None:
    assert np.array_equal(np.asarray(result().overlay(0)), PIXELS)
    assert np.array_equal(np.asarray(result().overlay(1)), COLOURS)
    mean = (PIXELS.astype(float) + COLOURS) / 2
    assert np.abs(np.asarray(result().overlay()) - mean).max() <= 1


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be from 0"):
        result().overlay(alpha)


def test_the_overlay_lies_on_the_image_as_exif_turns_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise
    Image.fromarray(np.rot90(PIXELS)).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(np.asarray(result(image=(tmp_path / "x.png").read_bytes()).overlay(0)), PIXELS)


def test_an_image_that_cannot_be_decoded_is_told() -> None:
    with pytest.raises(ValueError, match=r"x\.png: the image cannot be decoded"):
        result(image=b"no image").overlay()


def test_polygons_are_geojson_with_a_feature_for_each_class() -> None:
    content = result().polygons()
    assert json.loads(json.dumps(content)) == content
    assert content["type"] == "FeatureCollection"
    assert [feature["properties"] for feature in content["features"]] == [
        {"id": each.id, "name": each.name, "colour": each.hex, "pixels": each.pixels} for each in result().classes
    ]
    for feature in content["features"]:
        assert (feature["type"], feature["geometry"]["type"]) == ("Feature", "MultiPolygon")
        assert all(ring[0] == ring[-1] for polygon in feature["geometry"]["coordinates"] for ring in polygon)


def test_a_notebook_shows_image_overlay_and_legend() -> None:
    page = result()._repr_html_()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "&lt;sky&gt;" in page
    assert "x.png, 40x24" in page


def test_its_repr_is_short() -> None:
    segmentation = Segmentation(np.array([[0, 0, 0, 1]], np.uint8), None, "demo", ("road", "car"), ())
    assert repr(result(segmentation=segmentation)) == str(result(segmentation=segmentation))
    assert str(result(segmentation=segmentation)) == "<Result x, 4x1, demo: road 75.0%, car 25.0%>"
    assert str(result()).endswith("%>")
    many = Segmentation(np.arange(256, dtype=np.uint8).reshape(16, 16), None, "demo", (), ())
    assert str(result(segmentation=many)) == "<Result x, 16x16, demo: class 0 0.4%, class 1 0.4%, class 2 0.4%, ...>"
