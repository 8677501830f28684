"""PaddleX's Resize transform, which a network's inference.yml requests and its preprocess performs."""

from __future__ import annotations

from dataclasses import dataclass

INTERPOLATIONS = ("NEAREST", "LINEAR", "BICUBIC", "AREA", "LANCZOS4")


@dataclass(frozen=True)
class Resize:
    """Scale to `target_size` (width, height in pixels), then round each side up to a multiple of `size_divisor`."""

    target_size: tuple[int, int]
    keep_ratio: bool = True
    size_divisor: int | None = 32
    interp: str = "LINEAR"

    @property
    def most_pixels(self) -> int:
        """The number of pixels of the largest image that it produces."""
        width, height = self._rounded
        return width * height

    @property
    def one_size(self) -> tuple[int, int] | None:
        """The width and height of every image that it produces; None if they depend on the image."""
        return None if self.keep_ratio else self._rounded

    @property
    def _rounded(self) -> tuple[int, int]:
        divisor = self.size_divisor or 1
        width, height = (-(-side // divisor) * divisor for side in self.target_size)
        return width, height
