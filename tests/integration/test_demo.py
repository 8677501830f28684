"""Through REST, the demo network reaches its promised mIoU, which is also Paddle's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from demo.scenes import HELD_OUT, scene
from tests.support import DEMO, Service, encoded, in_export_environment

CLASSES = 19


def mean_iou(pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> float:
    """Mean intersection over union of the classes that occur, from (truth, prediction) pairs of class ids."""
    confusion = np.zeros((CLASSES, CLASSES), np.int64)
    for truth, prediction in pairs:
        confusion += np.bincount(truth.ravel().astype(np.int64) * CLASSES + prediction.ravel(), minlength=CLASSES**2).reshape(
            CLASSES, CLASSES
        )
    intersection = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - intersection
    occurs = confusion.sum(1) > 0
    return float((intersection[occurs] / union[occurs]).mean())


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, NDArray[np.uint8]]:
    folder = tmp_path_factory.mktemp("held_out")
    truths = {}
    for seed in HELD_OUT:
        image, labels = scene(seed)
        file = folder / f"{seed}.png"
        cv2.imwrite(str(file), image)
        truths[file] = labels
    return truths


def test_miou_through_rest_is_high_and_is_paddles(
    service: Service, weights: dict[str, Path], held_out: dict[Path, NDArray[np.uint8]], tmp_path: Path
) -> None:
    served = []
    for file, truth in held_out.items():
        body = {"image": encoded(file.read_bytes()), "visualize": False}
        result = requests.post(f"{service.rest}/semantic-segmentation", json=body, timeout=60).json()["result"]
        served.append((truth, np.array(result["labelMap"], np.uint8).reshape(result["size"])))
    in_export_environment("-m", "semseg_export.workers.reference", weights[DEMO], *held_out, "--out", tmp_path)
    paddle = [(truth, np.load(tmp_path / f"{file.stem}.npy")) for file, truth in held_out.items()]
    over_rest, by_paddle = mean_iou(served), mean_iou(paddle)
    print(f"mIoU of {DEMO} on {len(held_out)} held-out scenes: {over_rest:.4f} through REST, {by_paddle:.4f} by Paddle")
    assert over_rest >= 0.60
    assert abs(over_rest - by_paddle) <= 0.005
