from __future__ import annotations

from dataclasses import replace

import pytest

from semseg_contract.transforms import LimitLong, Resize, ResizeByShort, Step
from semseg_export.checks import sizes
from semseg_export.conversion.scores import PROBE
from semseg_export.weights.archive import Archive


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ((), PROBE),
        ((Resize((224, 160), False, None),), (224, 160)),
        ((LimitLong(512),), (512, 256)),
        ((ResizeByShort(4096),), PROBE),  # nothing so large runs before its memory is known
    ],
)
def test_the_first_image_is_small_and_of_a_size_that_occurs(archive: Archive, steps: tuple[Step, ...], size: sizes.Size) -> None:
    assert sizes.probe(replace(archive, steps=steps)) == size
