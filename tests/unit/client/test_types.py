from __future__ import annotations

import numpy as np

from semseg_client import Segmentation


def segmentation(label_map: list[list[int]]) -> Segmentation:
    return Segmentation(np.array(label_map, np.uint8), None, "demo", ("road", "car"), ((128, 0, 0), (0, 128, 0)))


def test_size_is_height_and_width() -> None:
    assert segmentation([[0, 0, 0]]).size == (1, 3)


def test_shares_are_of_what_is_present_the_largest_first() -> None:
    shares = segmentation([[0, 1, 1, 1]]).shares()
    assert list(shares.items()) == [("car", 0.75), ("road", 0.25)]


def test_a_class_id_without_a_name_is_given_by_its_number() -> None:
    assert segmentation([[255]]).shares() == {"class 255": 1.0}
