from __future__ import annotations

import numpy as np

from semseg_client import Segmentation
from semseg_client.results.legend import ClassShare, legend
from semseg_contract.palette import Colour


def segmentation(label_map: list[list[int]], palette: tuple[Colour, ...] = ()) -> Segmentation:
    return Segmentation(np.array(label_map, np.uint8), None, "demo", ("road", "car"), palette)


def test_the_classes_that_are_present_come_largest_first() -> None:
    assert legend(segmentation([[0, 1, 1, 1]], ((1, 2, 3), (4, 5, 6)))) == (
        ClassShare(1, "car", (4, 5, 6), 3, 0.75),
        ClassShare(0, "road", (1, 2, 3), 1, 0.25),
    )


def test_classes_of_one_size_come_by_id() -> None:
    assert [each.id for each in legend(segmentation([[7, 3, 5]]))] == [3, 5, 7]


def test_a_class_beyond_the_names_and_the_palette_has_a_number_and_paddlex_s_colour() -> None:
    assert legend(segmentation([[149]], ((1, 2, 3),))) == (ClassShare(149, "class 149", (0, 224, 128), 1, 1.0),)


def test_a_colour_is_written_as_css_has_it() -> None:
    assert ClassShare(0, "road", (128, 0, 9), 1, 1.0).hex == "#800009"
