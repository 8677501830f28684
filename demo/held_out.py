"""Writes the held-out scenes as a data set in PaddleSeg's layout, for `semseg eval`.

python -m demo.held_out FOLDER [WIDTH HEIGHT]
"""

import sys
from pathlib import Path

import cv2

from demo.scenes import HELD_OUT, scene


def write(folder: Path, width: int = 1024, height: int = 512) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in HELD_OUT:
        image, labels = scene(seed, width, height)
        for name, pixels in ((f"{seed}.png", image), (f"{seed}_labels.png", labels)):
            cv2.imwrite(str(folder / name), pixels)
        lines.append(f"{seed}.png {seed}_labels.png\n")
    (folder / "val.txt").write_text("".join(lines))


if __name__ == "__main__":
    place, *size = sys.argv[1:]
    write(Path(place), *map(int, size))
