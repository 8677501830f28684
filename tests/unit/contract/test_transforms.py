from __future__ import annotations

import pytest

from semseg_contract.transforms import (
    LARGEST,
    Fit,
    LimitLong,
    Padding,
    PaddingByAspectRatio,
    PaddingToMultiple,
    Preparation,
    Resize,
    ResizeByLong,
    ResizeByShort,
    Step,
    ToFloat,
    Unfit,
)


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (Resize((512, 512)), (512, 352)),
        (Resize((512, 512), size_divisor=None), (512, 341)),
        (Resize((100, 50), keep_ratio=False, size_divisor=32), (128, 64)),
        (Resize(None), (1001, 667)),
        (ResizeByLong(500), (500, 333)),
        (ResizeByShort(500), (750, 500)),
        (ResizeByShort(500, max_size=600), (599, 399)),
        (LimitLong(max_long=500), (500, 333)),
        (LimitLong(min_long=2000), (2000, 1333)),
        (LimitLong(max_long=2000, min_long=500), (1001, 667)),
        (Fit((500, 500)), (500, 333)),
        (Padding((1024, 1024)), (1024, 1024)),
        (PaddingByAspectRatio(2.0), (1334, 667)),
        (PaddingByAspectRatio(0.5), (1001, 2002)),
        (PaddingToMultiple(32), (1024, 672)),
        (ToFloat(), (1001, 667)),
    ],
)
def test_a_step_makes_this_of_an_image_of_1001x667(step: Step, size: tuple[int, int]) -> None:
    assert Preparation((step,)).size(1001, 667) == size


def test_a_preparation_is_read_as_it_was_written() -> None:
    steps = (ToFloat(), ResizeByShort(500, 600), LimitLong(900), Padding((1024, 1024), (1.5, 2, 3)), Resize((8, 9), False, None))
    for preparation in (Preparation(steps), Preparation(steps, (8, 9)), Preparation(divisor=16)):
        assert Preparation.read(preparation.write()) == preparation


@pytest.mark.parametrize("fixed", ["[1]", "[]", "[1, 2, 3]", "1"])
def test_a_fixed_size_that_is_no_pair_is_refused(fixed: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Preparation.read(f'{{"steps": [], "fixed": {fixed}, "divisor": 1}}')


def test_the_way_back_undoes_each_step_that_changed_the_size() -> None:
    steps = (ResizeByLong(500), LimitLong(max_long=800), Padding((512, 512)), Resize((256, 256), False, None))
    assert Preparation(steps).way_back(1000, 600) == [512, 512, -300, -500, 600, 1000]
    assert Preparation().way_back(1000, 600) == [600, 1000]
    assert Preparation(divisor=64).way_back(1000, 600) == [-600, -1000]
    assert Preparation(divisor=8).way_back(1000, 600) == [600, 1000]


def test_a_target_size_replaces_scaling_and_padding_but_not_what_the_network_needs() -> None:
    own = Preparation((ToFloat(), Resize((512, 512), False, 64, "AREA"), Padding((600, 600))), divisor=16)
    assert own.to((100, 50)) == Preparation((ToFloat(), Resize((100, 50), False, 64, "AREA")), divisor=16)
    assert Preparation((ResizeByLong(512),)).to((100, 50)) == Preparation((Resize((100, 50)),))
    with pytest.raises(Unfit, match="scales every image to 512x512, the only size it takes; leave it out"):
        Preparation((Resize((512, 512), False, None),), (512, 512)).to((100, 50))


def test_a_target_size_is_scaled_in_uint8_if_the_networks_own_steps_scale_in_that() -> None:
    two = Preparation((Fit((512, 512)), ToFloat(), Padding((512, 512))))
    assert two.to((100, 50)) == Preparation((Resize((100, 50)), ToFloat()))
    assert Preparation((ToFloat(), Padding((512, 512)))).to((100, 50)) == Preparation((ToFloat(), Resize((100, 50))))


def test_what_would_take_too_much_memory_on_the_way_is_refused() -> None:
    """A thin image fits into the network, but not into memory in between."""
    steps = (PaddingByAspectRatio(1.0), Resize((512, 512), False, None))
    with pytest.raises(Unfit, match=rf"PaddingByAspectRatio makes 20000x20000 of 20000x1, over {LARGEST} pixels"):
        Preparation(steps).size(20000, 1)
    assert Preparation(steps).size(5000, 1) == (512, 512)


def test_an_image_is_never_scaled_to_nothing() -> None:
    assert Preparation((ResizeByLong(100),)).size(3000, 1) == (100, 1)
    assert Preparation((Resize((100, 100), size_divisor=None),)).size(3000, 1) == (100, 1)
