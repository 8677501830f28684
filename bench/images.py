"""The images that the clients send: seeded, as JPEG files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from semseg_export.synthetic_images import smooth_pixels

from .places import HOME

MIXED = "mixed"
# All sides are multiples of 128: otherwise Paddle with oneDNN would pool wrongly in PP-LiteSeg, and the rivals would differ.
MIXTURE = ((512, 1024), (1024, 2048), (768, 1024), (640, 1280))
COUNT = 4
QUALITY = 90


@dataclass(frozen=True)
class Size:
    """`512x1024`, height by width like a label map's shape, or `mixed`."""

    name: str
    shapes: tuple[tuple[int, int], ...]  # height and width of each image

    @classmethod
    def of(cls, name: str) -> Size:
        """The size with that name.

        Raises:
            ValueError: there is no such size.
        """
        if name == MIXED:
            return cls(name, MIXTURE)
        height, width = map(int, name.split("x"))
        return cls(name, ((height, width),) * COUNT)

    @classmethod
    def wide(cls, megapixels: float) -> Size:
        """The size nearest to `megapixels` (of 2^20 pixels) that is twice as wide as high, its width a multiple of 128 pixels."""
        width = 128 * max(round((2 * megapixels * 2**20) ** 0.5 / 128), 1)
        return cls.of(f"{width // 2}x{width}")

    def files(self) -> list[Path]:
        """JPEG files, written on first use. About 0.2 bytes per pixel, like photographs of streets."""
        files = []
        for seed, (height, width) in enumerate(self.shapes):
            file = HOME / "images" / f"{height}x{width}-{seed}.jpg"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                pixels = smooth_pixels(seed, (1, height, width))[0, :, :, ::-1]
                file.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
            files.append(file)
        return files
