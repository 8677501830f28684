"""What `semseg eval` tells beside its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semseg_client.cli.evaluate import _summary
from semseg_client.evaluation.confusion import measures
from semseg_client.evaluation.datasets import DataSet

DATA = DataSet("Cityscapes", [], np.arange(256, dtype=np.uint8))
ABSENT = measures(np.array([[3, 1, 0], [1, 5, 0], [0, 0, 0]]))


def test_paddlexs_figure_stands_beside_that_of_its_network() -> None:
    told = _summary("PP-LiteSeg-T", ABSENT, 1, DATA, Path("out"))
    assert "PaddleX publishes 0.7310 on Cityscapes, measured at 1024x512" in told
    assert "publishes" not in _summary("mine", ABSENT, 1, DATA, Path("out"))


def test_absent_classes_are_told_both_ways() -> None:
    told = _summary("mine", ABSENT, 1, DATA, Path("out"))
    assert "mIoU 0.6571 over 2 classes, 1 absent left out; 0.4381 as PaddleSeg counts them, as 0" in told
