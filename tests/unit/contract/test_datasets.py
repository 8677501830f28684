from __future__ import annotations

from semseg_contract.datasets import ADE20K, CITYSCAPES


def test_data_sets_have_a_colour_for_each_class() -> None:
    assert len(CITYSCAPES.colours) == 19
    assert CITYSCAPES.colours[0] == (128, 64, 128)
    assert CITYSCAPES.colours[18] == (119, 11, 32)
    assert len(ADE20K.colours) == 150
    assert ADE20K.colours[0] == (120, 120, 120)
    assert ADE20K.colours[149] == (92, 0, 255)
