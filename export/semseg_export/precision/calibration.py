"""The images for quantising a network, prepared as in serving.

Every fifth image is held out for comparing the quantised network with the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from runpy import run_path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semseg_contract.names import PREPROCESS
from semseg_contract.transforms import PLAIN, Preparation, Unfit

from ..errors import CalibrationError

Pixels = npt.NDArray[Any]
Prepare = Callable[[Pixels], Pixels]  # [H, W, 3]

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
MOST = 200  # images; the value ranges of a network's layers settle well before that
HELD_OUT = 5  # every fifth
SOME = 8  # of the user's own images, to compare with Paddle


@dataclass(frozen=True)
class Images:
    """Image files in a folder and its subfolders; `read` returns their pixels."""

    folder: Path
    files: tuple[Path, ...]

    def read(self, prepare: Prepare) -> Iterator[Pixels]:
        """Pixels uint8 [1, H, W, 3] RGB. Raises CalibrationError at the first unreadable file."""
        for file in self.files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                raise CalibrationError(f"{file} cannot be read as an image: repair it, or remove it from the folder")
            try:
                yield prepare(np.ascontiguousarray(image[..., ::-1], np.uint8))[np.newaxis]
            except Unfit as error:
                raise CalibrationError(f"{file}: {error}") from error


def find(folder: Path) -> tuple[Images, Images]:
    """The images to calibrate on and those to compare on. Raises CalibrationError."""
    found = _found(folder, "CALIBRATION= (--calibration)")
    if len(found) < 2:
        raise CalibrationError(
            f"{folder} holds {len(found)} images ({', '.join(sorted(SUFFIXES))}): quantisation needs at least 2,"
            " one to calibrate on and one to compare on; about 50 work well"
        )
    files = _thinned(found, MOST)
    compared = tuple(files[HELD_OUT - 1 :: HELD_OUT]) or (files[-1],)
    calibrated = tuple(file for file in files if file not in compared)
    return Images(folder, calibrated), Images(folder, compared)


def _found(folder: Path, option: str) -> list[Path]:
    if not folder.is_dir():
        raise CalibrationError(f"there is no folder {folder}: pass one with images like those you will segment, using {option}")
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())


def _thinned(files: list[Path], most: int) -> list[Path]:
    """At most `most` of the files, evenly chosen."""
    return [files[index * len(files) // most] for index in range(most)] if len(files) > most else files


def preparing(preparation: Preparation, repository: Path) -> Prepare:
    """A function that prepares an image as the code that serves the network does, and raises Unfit. Raises CalibrationError."""
    if preparation == PLAIN:
        return lambda pixels: pixels
    code = repository / PREPROCESS / "1" / "prepare.py"
    if not code.is_file():
        raise CalibrationError(f"there is no {code}: export into the project's model_repository, or copy preprocess from it")
    return partial(run_path(str(code))["prepared"], preparation)


def some(folder: Path, preparation: Preparation, repository: Path) -> list[Pixels]:
    """Up to SOME images of a folder, evenly chosen and prepared, [1, H, W, 3]. Raises CalibrationError."""
    found = _found(folder, "IMAGES= (--images)")
    if not found:
        raise CalibrationError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})")
    return list(Images(folder, tuple(_thinned(found, SOME))).read(preparing(preparation, repository)))
