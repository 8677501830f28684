from __future__ import annotations

import numpy as np

from semseg_contract.palette import colour_table, palette


def test_colours_are_those_of_paddlex() -> None:
    colours = palette(256)
    assert colours[:9] == (
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (128, 0, 128),
        (0, 128, 128),
        (128, 128, 128),
        (64, 0, 0),
        (192, 0, 0),
    )
    assert colours[18] == (128, 192, 0)
    assert colours[149] == (0, 224, 128)
    assert (0, 0, 0) not in colours[:150]


def test_no_two_ids_share_a_colour() -> None:
    assert len(np.unique(colour_table(), axis=0)) == 256


def test_own_colours_come_first_and_paddlex_s_go_on() -> None:
    table = colour_table([(1, 2, 3)])
    assert table[:2].tolist() == [[1, 2, 3], [0, 128, 0]]
    assert (table.shape, table.dtype) == ((256, 3), np.uint8)
