from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semseg_client import Drawing, Segmentation
from semseg_client.gateway.answer import answer
from semseg_client.gateway.failures import Invalid
from semseg_client.gateway.http.media import BYTES, JPEG, JSON, PNG
from semseg_client.gateway.request import ImageRequest
from semseg_client.gateway.schemas import OUTPUTS, Options, SegmentationResult

LABEL_MAP = np.array([[0, 1, 1], [0, 1, 255]], np.uint8)


def segmentation(picture: bytes | None = b"jpeg") -> Segmentation:
    return Segmentation(LABEL_MAP, picture, "demo", ("road", "car"), ((128, 0, 0), (0, 128, 0)), "3")


def asked(*outputs: Any) -> ImageRequest:
    return ImageRequest(b"", Options(outputs=outputs), "body.image", "body")


def result(*outputs: Any, picture: bytes | None = None) -> Any:
    return json.loads(answer(JSON, asked(*outputs), "mine").body(segmentation(picture)))["result"]


def test_a_segmentation_is_answered_as_paddlex_does() -> None:
    told = json.loads(answer(JSON, asked("labelMap", "image"), "mine").body(segmentation()))
    assert list(told) == ["logId", "errorCode", "errorMsg", "result"]
    assert told == {
        "logId": "mine",
        "errorCode": 0,
        "errorMsg": "Success",
        "result": {"labelMap": [0, 1, 1, 0, 1, 255], "size": [2, 3], "image": "anBlZw=="},
    }


@pytest.mark.parametrize("largest", [0, 9, 10, 99, 100, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (37, 53)])
def test_a_label_map_is_all_of_its_ids(largest: int, shape: tuple[int, int]) -> None:
    ids = np.random.default_rng(0).integers(0, largest + 1, shape, np.uint8)
    ids[-1, -1] = largest
    found = Segmentation(ids, None, "demo", (), (), "1")
    told = json.loads(answer(JSON, asked("labelMap"), "mine").body(found))["result"]
    assert told == {"labelMap": ids.ravel().tolist(), "size": list(shape)}


def test_what_is_not_wanted_is_not_there() -> None:
    assert set(result("labelMap")) == {"labelMap", "size"}
    assert set(result("png")) == {"png", "size"}


def test_every_output_is_as_the_description_has_it() -> None:
    told = result(*OUTPUTS, picture=b"jpeg")
    assert set(told) == {*OUTPUTS, "size"}
    SegmentationResult.model_validate(told)


def test_classes_have_names_colours_and_shares() -> None:
    road = {"id": 0, "name": "road", "colour": "#800000", "pixels": 2, "share": 2 / 6}
    car = {"id": 1, "name": "car", "colour": "#008000", "pixels": 3, "share": 0.5}
    assert result("classes")["classes"][:2] == [car, road]


def test_polygons_are_geojson() -> None:
    told = result("polygons")["polygons"]
    assert [feature["properties"]["pixels"] for feature in told["features"]] == [3, 2, 1]


def test_a_picture_by_itself_still_tells_its_size() -> None:
    file = io.BytesIO()
    Image.new("RGB", (7, 5)).save(file, "JPEG")
    told = json.loads(answer(JSON, asked("image"), "mine").body(Drawing(file.getvalue(), "demo", "1")))["result"]
    assert (told["size"], base64.b64decode(told["image"])) == ([5, 7], file.getvalue())


def test_a_png_holds_the_ids() -> None:
    kind = answer(PNG, asked("labelMap", "image"), "mine")
    image = Image.open(io.BytesIO(kind.body(segmentation(None))))
    np.testing.assert_array_equal(np.asarray(image), LABEL_MAP)
    assert image.convert("RGB").getpixel((0, 0)) == (128, 0, 0)


def test_bytes_are_the_ids_row_by_row() -> None:
    assert answer(BYTES, asked("image"), "mine").body(segmentation(None)) == LABEL_MAP.tobytes()


@pytest.mark.parametrize(("kind", "picture"), [(PNG, False), (BYTES, False), (JPEG, True)])
def test_a_picture_is_drawn_only_where_it_is_sent(kind: str, picture: bool) -> None:
    assert ("image" in answer(kind, asked("labelMap", "image"), "mine").outputs) == picture


def test_outlines_of_what_is_too_scattered_are_refused_before_they_fill_the_memory() -> None:
    polygons = answer(JSON, asked("polygons"), "mine")
    assert polygons.body(chessboard(1024, 8))
    with pytest.raises(Invalid) as refused:
        polygons.body(chessboard(1024, 1))
    [problem] = json.loads(refused.value.message)
    assert problem["loc"] == "body.outputs"
    assert "more than 500000 pixel edges" in problem["msg"]


def chessboard(side: int, block: int) -> Segmentation:
    """A chessboard of two classes, with squares of `block` pixels a side."""
    rows = np.arange(side) // block
    label_map = ((rows[:, None] + rows) % 2).astype(np.uint8)
    return Segmentation(label_map, None, "m", ("a", "b"), ((0, 0, 0), (255, 255, 255)))
