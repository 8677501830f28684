"""PaddleX's Resize transform, as a network's inference.yml tells it and its preprocess in the model repository does it."""

from __future__ import annotations

from dataclasses import dataclass

INTERPOLATIONS = ("NEAREST", "LINEAR", "BICUBIC", "AREA", "LANCZOS4")


@dataclass(frozen=True)
class Resize:
    """`target_size` is width and height in pixels; each side is then rounded up to a multiple of `size_divisor`."""

    target_size: tuple[int, int]
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    @property
    def most_pixels(self) -> int:
        """Of the largest image that it makes."""
        divisor = self.size_divisor or 1
        width, height = (-(-side // divisor) * divisor for side in self.target_size)
        return width * height
