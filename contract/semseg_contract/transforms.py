"""How images are prepared for a network: the sizes that PaddleX's and PaddleSeg's transforms give them, and the way back.

This code touches no pixels. `preprocess` and the contract package each have a copy of this file; a test keeps them equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any, TypeAlias

Size: TypeAlias = tuple[int, int]  # width and height in pixels
Colour: TypeAlias = tuple[float, float, float]  # red, green, blue; 0 to 255, but any number goes

INTERPOLATIONS = ("NEAREST", "LINEAR", "BICUBIC", "AREA", "LANCZOS4")
GREY: Colour = (127.0, 127.0, 127.0)
LARGEST = 2**25  # pixels of a prepared image: a tiny request must not use the memory of a huge one


class Unfit(ValueError):
    """An image that cannot be prepared, or not in this way; the message says why."""


@dataclass(frozen=True)
class Resize:
    """PaddleX 3's and PaddleSeg's Resize.

    With `keep_ratio`, the longer side of the target bounds the longer side of the image, in either orientation. Each side is
    then rounded up to a multiple of `size_divisor`. Without a target, images keep their size unless a request has one.
    """

    target_size: Size | None
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> Size:
        if self.target_size is None:
            return width, height
        columns, rows = self.target_size
        if self.keep_ratio:
            long, short = max(self.target_size), min(self.target_size)
            scale = min(long / max(height, width), short / min(height, width))
            columns, rows = round(width * scale), round(height * scale)
        divisor = self.size_divisor or 1
        return ceil(max(columns, 1) / divisor) * divisor, ceil(max(rows, 1) / divisor) * divisor


@dataclass(frozen=True)
class ResizeByLong:
    """Scale the longer side to `long_size` pixels."""

    long_size: int
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> Size:
        return _scaled(width, height, self.long_size / max(width, height))


@dataclass(frozen=True)
class ResizeByShort:
    """Scale the shorter side to `short_size` pixels, or to fewer if the longer side would exceed `max_size`."""

    short_size: int
    max_size: float = 1e10
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> Size:
        short, long = min(width, height), max(width, height)
        size = self.short_size
        if size / short * long > self.max_size:
            size = int((self.max_size / long) * short)
        return _scaled(width, height, size / short)


@dataclass(frozen=True)
class LimitLong:
    """Scale the image so that its longer side has from `min_long` to `max_long` pixels."""

    max_long: int | None = None
    min_long: int | None = None
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> Size:
        long = max(width, height)
        limit = long
        if self.max_long is not None and long > self.max_long:
            limit = self.max_long
        elif self.min_long is not None and long < self.min_long:
            limit = self.min_long
        return (width, height) if limit == long else _scaled(width, height, limit / long)


@dataclass(frozen=True)
class Fit:
    """PaddleX 2's Resize with keep_ratio: scale the image to fit into `target_size`."""

    target_size: Size
    interp: str = "LINEAR"

    def size(self, width: int, height: int) -> Size:
        return _scaled(width, height, min(self.target_size[0] / width, self.target_size[1] / height))


@dataclass(frozen=True)
class Padding:
    """Add pixels on the right and at the bottom, up to `target_size`."""

    target_size: Size
    colour: Colour = GREY

    def size(self, width: int, height: int) -> Size:
        columns, rows = self.target_size
        if width > columns or height > rows:
            raise Unfit(
                f"{width}x{height} is larger than {columns}x{rows}, the size that this model's Padding makes; send a smaller one"
            )
        return self.target_size


@dataclass(frozen=True)
class PaddingByAspectRatio:
    """Add pixels on the right or at the bottom until the width is `aspect_ratio` times the height."""

    aspect_ratio: float = 1
    colour: Colour = GREY

    def size(self, width: int, height: int) -> Size:
        ratio = width / height
        if ratio > self.aspect_ratio:
            return width, max(int(width / self.aspect_ratio), height)
        return max(int(height * self.aspect_ratio), width), height


@dataclass(frozen=True)
class PaddingToMultiple:
    """Add pixels on the right and at the bottom until both sides are multiples of `divisor`, and of at least `least` pixels."""

    divisor: int
    colour: Colour = GREY
    least: int = 1

    def size(self, width: int, height: int) -> Size:
        columns, rows = (ceil(max(side, self.least) / self.divisor) * self.divisor for side in (width, height))
        return columns, rows


@dataclass(frozen=True)
class ToFloat:
    """Compute the following steps in float32 instead of rounding each to whole grey levels."""

    def size(self, width: int, height: int) -> Size:
        return width, height


Scaling: TypeAlias = Resize | ResizeByLong | ResizeByShort | LimitLong | Fit
Filling: TypeAlias = Padding | PaddingByAspectRatio | PaddingToMultiple
Step: TypeAlias = Scaling | Filling | ToFloat

_KINDS = (Resize, ResizeByLong, ResizeByShort, LimitLong, Fit, Padding, PaddingByAspectRatio, PaddingToMultiple, ToFloat)
_STEPS: dict[str, Any] = {kind.__name__: kind for kind in _KINDS}


@dataclass(frozen=True)
class Preparation:
    """The steps in order. Without any, the network gets the image as it is.

    `fixed` is the only size that the network takes; the steps must lead there. Otherwise each side must be a multiple of
    `divisor` and have at least `least` pixels, and images are padded to that after the steps.
    """

    steps: tuple[Step, ...] = ()
    fixed: Size | None = None
    divisor: int = 1
    least: int = 1

    @property
    def floats(self) -> bool:
        """Whether prepared pixels are float32 instead of uint8."""
        return any(isinstance(step, ToFloat) for step in self.steps)

    @property
    def all_steps(self) -> tuple[Step, ...]:
        if self.divisor == self.least == 1:
            return self.steps
        return (*self.steps, PaddingToMultiple(self.divisor, least=self.least))

    @property
    def target_size(self) -> Size | None:
        """The size that its own Resize aims at, if it has one."""
        own = next((step for step in self.steps if isinstance(step, Resize | Fit)), None)
        return self.fixed or (None if own is None else own.target_size)

    def to(self, target_size: Size) -> Preparation:
        """The preparation for a request's `target_size`: PaddleX's Resize, with the settings of the network's own, if it has one.

        It replaces all steps that scale or pad. Raises Unfit if the network takes one size only.
        """
        if self.fixed is not None:
            raise Unfit(f"this model scales every image to {self.fixed[0]}x{self.fixed[1]}, the only size it takes; leave it out")
        own = next((step for step in self.steps if isinstance(step, Resize)), None)
        resize = Resize(target_size) if own is None else replace(own, target_size=target_size)
        floats = tuple(step for step in self.steps if isinstance(step, ToFloat))
        first = next((step for step in self.steps if isinstance(step, ToFloat | Scaling)), resize)
        # PaddleX 2 scales in uint8 and only pads in float32.
        return replace(self, steps=(resize, *floats) if isinstance(first, Scaling) else (*floats, resize))

    def sizes(self, width: int, height: int) -> list[Size]:
        """The image's size after each of `all_steps`. Raises Unfit, also if a step makes more than LARGEST pixels of it."""
        found = []
        size = (width, height)
        for step in self.all_steps:
            before, size = size, step.size(*size)
            if size != before and size[0] * size[1] > LARGEST:
                name = type(step).__name__
                raise Unfit(f"{name} makes {size[0]}x{size[1]} of {width}x{height}, over {LARGEST} pixels")
            found.append(size)
        return found

    def size(self, width: int, height: int) -> Size:
        """The size at which the network sees the image. Raises Unfit."""
        return (self.sizes(width, height) or [(width, height)])[-1]

    def made_of(self, sources: Iterable[Size]) -> list[Size]:
        """The sizes that it makes of images of these sizes, without those that it refuses."""
        made = []
        for source in sources:
            with suppress(Unfit):
                made.append(self.size(*source))
        return made

    def way_back(self, width: int, height: int) -> list[int]:
        """Heights and widths that lead a label map from the network's size to the image's. Negative ones cut off padding.

        Label maps are scaled by nearest neighbour, as in PaddleX. Raises Unfit.
        """
        back = []
        size = (width, height)
        for step, after in zip(self.all_steps, self.sizes(width, height), strict=True):
            if after != size:
                sign = -1 if isinstance(step, Filling) else 1
                back.append([sign * size[1], sign * size[0]])
            size = after
        return [side for pair in reversed(back) for side in pair] or [height, width]

    def write(self) -> str:
        """As JSON."""
        steps = [{"type": type(step).__name__, **asdict(step)} for step in self.steps]
        return json.dumps({"steps": steps, "fixed": self.fixed, "divisor": self.divisor, "least": self.least})

    @classmethod
    def read(cls, text: str) -> Preparation:
        """The inverse of `write`. Raises ValueError, TypeError or KeyError for anything else."""
        told = json.loads(text)
        fixed = None
        if told["fixed"] is not None:
            width, height = told["fixed"]
            fixed = (width, height)
        return cls(tuple(map(_step, told["steps"])), fixed, told["divisor"], told.get("least", 1))


PLAIN = Preparation()


def _step(told: dict[str, Any]) -> Step:
    made: Step = _STEPS[told["type"]](
        **{key: tuple(value) if isinstance(value, list) else value for key, value in told.items() if key != "type"}
    )
    return made


def _scaled(width: int, height: int, scale: float) -> Size:
    return max(round(width * scale), 1), max(round(height * scale), 1)
