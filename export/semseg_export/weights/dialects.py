"""Three programs read a list of transforms differently: PaddleX 3, PaddleSeg and PaddleX 2.

| | PaddleX 3 | PaddleSeg | PaddleX 2 |
|---|---|---|---|
| resizes | uint8 | float32 | uint8 |
| target_size | side, or [width, height] | [width, height] | side, or [height, width] |
| keep_ratio, by default | true | false | false |
| size_divisor, by default | 32 | none | it has none |
| mean and std, by default | 0.5 | 0.5 | ImageNet's |

Sources: paddlex 3.7.2, `inference/models/semantic_segmentation`; paddleseg 2.8.0, `transforms/transforms.py`; paddlex 2.1.0,
`cv/transforms/operators.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from semseg_contract.transforms import (
    Colour,
    Fit,
    LimitLong,
    Padding,
    PaddingByAspectRatio,
    PaddingToMultiple,
    Resize,
    ResizeByLong,
    ResizeByShort,
    Size,
    Step,
)

from .normalisation import Normalisation
from .settings import (
    LEAST,
    Settings,
    Wrong,
    boolean,
    colour,
    interpolation,
    nonzero,
    pixels,
    pixels_or_none,
    positive,
    two_sides,
)

Reader: TypeAlias = Callable[[Settings], Step | Normalisation | None]  # None: the transform does nothing

HALF: Colour = (0.5, 0.5, 0.5)
MEAN: Colour = (0.485, 0.456, 0.406)  # ImageNet's
STD: Colour = (0.229, 0.224, 0.225)
MIDDLE: Colour = (127.5, 127.5, 127.5)
BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (255.0, 255.0, 255.0)
DIVISOR: int | None = 32
INFINITE = 1e10  # pixels; PaddleSeg's own


@dataclass(frozen=True)
class Dialect:
    """How one program reads transforms. With `floats`, it computes in float32 from the start."""

    program: str
    floats: bool
    readers: Mapping[str, Reader]


def _side_or_two(value: Any) -> Size | None:
    if value in (-1, [-1, -1]):
        return None
    try:
        return two_sides(value if isinstance(value, list) else [value, value])
    except Wrong:
        raise Wrong("a number of pixels, or [width, height]") from None


def _width_and_height(value: Any) -> Size:
    try:
        return two_sides(value)
    except Wrong:
        raise Wrong("[width, height] in pixels") from None


def _height_and_width(value: Any) -> Size:
    try:
        height, width = two_sides(value if isinstance(value, list) else [value, value])
    except Wrong:
        raise Wrong("a number of pixels, or [height, width]") from None
    return width, height


def _anything(value: Any) -> Any:
    return value


def _resize(settings: Settings) -> Resize | None:
    size = settings.take("target_size", _side_or_two, None)
    keep_ratio = settings.take("keep_ratio", boolean, True)
    divisor = settings.take("size_divisor", pixels_or_none, DIVISOR)
    interp = settings.take("interp", interpolation, "LINEAR")
    made = Resize(size, keep_ratio, divisor, interp)
    return None if made == Resize(None) else made


def _normalize(settings: Settings) -> Normalisation:
    return Normalisation.of(settings.take("mean", colour, HALF), settings.take("std", nonzero, HALF))


def _seg_resize(settings: Settings) -> Resize:
    size = settings.take("target_size", _width_and_height, (512, 512))
    keep_ratio = settings.take("keep_ratio", boolean, False)
    divisor = settings.take("size_divisor", pixels_or_none, None)
    return Resize(size, keep_ratio, divisor, settings.take("interp", interpolation, "LINEAR"))


def _seg_by_short(settings: Settings) -> ResizeByShort:
    return ResizeByShort(settings.require("short_size", pixels), settings.take("max_size", positive, INFINITE))


def _seg_range(settings: Settings) -> ResizeByLong:
    least, most = settings.take("min_value", pixels, 400), settings.take("max_value", pixels, 600)
    if least != most:
        raise settings.refusal(
            f"min_value {least} and max_value {most} leave the size to chance, so the same image would get different answers:"
            " set both to the size that you want"
        )
    return ResizeByLong(most)


def _seg_limit(settings: Settings) -> LimitLong:
    limit = LimitLong(settings.take("max_long", pixels_or_none, None), settings.take("min_long", pixels_or_none, None))
    if limit.max_long and limit.min_long and limit.min_long > limit.max_long:
        raise settings.refusal(f"min_long {limit.min_long} is larger than max_long {limit.max_long}: exchange them")
    return limit


def _label_value(settings: Settings) -> None:
    settings.take("label_padding_value", _anything, None)  # for training


def _seg_padding(settings: Settings) -> Padding:
    _label_value(settings)
    return Padding(settings.require("target_size", _width_and_height), settings.take("im_padding_value", colour, MIDDLE))


def _seg_by_ratio(settings: Settings) -> PaddingByAspectRatio:
    _label_value(settings)
    return PaddingByAspectRatio(settings.take("aspect_ratio", positive, 1.0), settings.take("im_padding_value", colour, MIDDLE))


def _two_resize(settings: Settings) -> Resize | Fit:
    size, interp = settings.require("target_size", _height_and_width), settings.take("interp", interpolation, "LINEAR")
    return Fit(size, interp) if settings.take("keep_ratio", boolean, False) else Resize(size, False, None, interp)


def _two_by_short(settings: Settings) -> ResizeByShort:
    if settings.take("max_size", _anything, -1) != -1:
        raise settings.refusal("max_size of ResizeByShort is not supported: leave it out")
    size, interp = settings.take("short_size", pixels, 256), settings.take("interp", interpolation, "LINEAR")
    return ResizeByShort(size, interp=interp)


def _two_by_long(settings: Settings) -> ResizeByLong:
    return ResizeByLong(settings.take("long_size", pixels, 256), settings.take("interp", interpolation, "LINEAR"))


def _two_padding(settings: Settings) -> Padding | PaddingToMultiple:
    _label_value(settings)
    if settings.take("pad_mode", _anything, 0) != 0 or settings.take("offsets", _anything, None) is not None:
        raise settings.refusal("Padding anywhere but on the right and at the bottom is not supported: pad_mode must be 0")
    filling = settings.take("im_padding_value", colour, MIDDLE)
    divisor = settings.take("size_divisor", pixels, 32)
    if settings.given.get("target_size") is None:
        settings.take("target_size", _anything, None)
        return PaddingToMultiple(divisor, filling)
    return Padding(settings.require("target_size", _height_and_width), filling)


def _two_normalize(settings: Settings) -> Normalisation:
    settings.take("is_scale", boolean, True)  # PaddleX 2.1 reads it and scales all the same
    mean, std = settings.take("mean", colour, MEAN), settings.take("std", nonzero, STD)
    least, most = settings.take("min_val", colour, BLACK), settings.take("max_val", colour, WHITE)
    if any(abs(high - low) < LEAST for low, high in zip(least, most, strict=True)):
        raise settings.refusal("min_val and max_val of Normalize must differ")
    return Normalisation.of(mean, std, least, most)


PADDLEX = Dialect("PaddleX", False, {"Resize": _resize, "Normalize": _normalize})
PADDLESEG = Dialect(
    "PaddleSeg",
    True,
    {
        "Resize": _seg_resize,
        "ResizeByLong": lambda settings: ResizeByLong(settings.require("long_size", pixels)),
        "ResizeByShort": _seg_by_short,
        "ResizeRangeScaling": _seg_range,
        "LimitLong": _seg_limit,
        "Padding": _seg_padding,
        "PaddingByAspectRatio": _seg_by_ratio,
        "Normalize": _normalize,
    },
)
PADDLEX_2 = Dialect(
    "PaddleX 2",
    False,
    {
        "Resize": _two_resize,
        "ResizeByLong": _two_by_long,
        "ResizeByShort": _two_by_short,
        "Padding": _two_padding,
        "Normalize": _two_normalize,
    },
)
