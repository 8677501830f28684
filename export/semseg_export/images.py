"""The user's own images, prepared as in serving: for quantising a network, and for comparing it with Paddle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semseg_contract.limits import MEGAPIXEL
from semseg_contract.names import PREPROCESS
from semseg_contract.transforms import PLAIN, Preparation, Unfit

from .errors import ImagesError

Pixels = npt.NDArray[Any]  # uint8, or float32 if the preparation computes in that
Prepare = Callable[[Pixels], Pixels]  # [H, W, 3]

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
CALIBRATING = 200  # images; the value ranges of a network's layers settle well before that
HELD_OUT = 5  # every fifth
COMPARING = 8  # images, to compare with Paddle


@dataclass(frozen=True)
class Images:
    """Image files in a folder and its subfolders; `read` returns their pixels."""

    folder: Path
    files: tuple[Path, ...]

    def read(self, prepare: Prepare) -> Iterator[Pixels]:
        """Prepared pixels [1, H, W, 3] RGB, uint8 or float32. Raises ImagesError at the first unreadable file."""
        for file in self.files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                raise ImagesError(f"{file} cannot be read as an image: repair it, or remove it from the folder")
            try:
                yield prepare(np.ascontiguousarray(image[..., ::-1], np.uint8))[np.newaxis]
            except Unfit as error:
                raise ImagesError(f"{file}: {error}") from error


def for_comparison(folder: Path) -> Images:
    """The images to compare with Paddle on. Raises ImagesError."""
    found = _found(folder, "IMAGES= (--images)")
    if not found:
        raise ImagesError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})")
    return Images(folder, tuple(_thinned(found, COMPARING)))


def for_calibration(folder: Path) -> tuple[Images, Images]:
    """The images to calibrate on, and those held out to compare with the original network on. Raises ImagesError."""
    found = _found(folder, "CALIBRATION= (--calibration)")
    if len(found) < 2:
        raise ImagesError(
            f"{folder} holds {len(found)} images ({', '.join(sorted(SUFFIXES))}): quantisation needs at least 2,"
            " one to calibrate on and one to compare on; about 50 work well"
        )
    files = _thinned(found, CALIBRATING)
    compared = tuple(files[HELD_OUT - 1 :: HELD_OUT]) or (files[-1],)
    calibrated = tuple(file for file in files if file not in compared)
    return Images(folder, calibrated), Images(folder, compared)


def preparing(preparation: Preparation, repository: Path, limit: int) -> Prepare:
    """A function that prepares an image as the code that serves the network does.

    It raises Unfit, also for images that become larger than `limit`, in megapixels. Raises ImagesError.
    """
    code = repository / PREPROCESS / "1" / "prepare.py"
    if preparation != PLAIN and not code.is_file():
        raise ImagesError(f"there is no {code}: export into the project's model_repository, or copy preprocess from it")
    prepared = run_path(str(code))["prepared"] if preparation != PLAIN else None

    def prepare(image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        columns, rows = preparation.size(width, height)
        if columns * rows > limit * MEGAPIXEL:
            raise Unfit(
                f"its {columns}x{rows} pixels are more than the {limit} megapixels that the memory allows: remove it from the"
                " folder, or allow more memory with MEMORY= (--memory)"
            )
        return image if prepared is None else prepared(preparation, image)

    return prepare


def _found(folder: Path, option: str) -> list[Path]:
    if not folder.is_dir():
        raise ImagesError(f"there is no folder {folder}: pass one with images like those you will segment, using {option}")
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def _thinned(files: list[Path], most: int) -> list[Path]:
    """At most `most` of the files, evenly chosen."""
    return [files[index * len(files) // most] for index in range(most)] if len(files) > most else files
