from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from semseg_client import Client, Segmentation
from semseg_client.prediction import Failure, document, predict, stems


def test_images_of_one_name_do_not_share_files() -> None:
    images = [Path(name) for name in ("a/x.jpg", "b/x.jpg", "x.png", "x_2.jpg", "X.jpg", "y.jpg")]
    assert stems(images) == ["x", "x_2", "x_3", "x_2_2", "X_4", "y"]


def test_the_json_holds_what_the_rest_result_holds() -> None:
    segmentation = Segmentation(np.array([[0, 1, 2], [3, 4, 5]], np.uint8), None, "demo", ("a",), ())
    content = json.loads(document(Path("in/x.jpg"), segmentation))
    assert content == {
        "input_path": "in/x.jpg",
        "model": "demo",
        "size": [2, 3],
        "classNames": ["a"],
        "labelMap": [0, 1, 2, 3, 4, 5],
    }


def test_each_image_fails_for_itself_and_in_its_place(tmp_path: Path) -> None:
    image = tmp_path / "x.jpg"
    image.write_bytes(b"x")
    with Client("127.0.0.1:1") as client:
        results = list(predict(client, [tmp_path / "no.jpg", image, tmp_path], tmp_path, "demo"))
    assert results == [
        Failure(tmp_path / "no.jpg", "No such file or directory"),
        Failure(image, "no tritonserver answers at 127.0.0.1:1"),
        Failure(tmp_path, "Is a directory"),
    ]
