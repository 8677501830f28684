"""The images for quantising a network, prepared as in serving.

Every fifth image is held out for comparing the quantised network with the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from runpy import run_path

import cv2
import numpy as np
import numpy.typing as npt

from semseg_contract.names import PREPROCESS
from semseg_contract.resize import Resize

from ..errors import CalibrationError

Pixels = npt.NDArray[np.uint8]
Prepare = Callable[[Pixels], Pixels]  # [H, W, 3]

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
MOST = 200  # images; the value ranges of a network's layers settle well before that
HELD_OUT = 5  # every fifth


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
                raise CalibrationError(f"{file} cannot be read as an image: repair it, or remove it from the calibration folder")
            yield prepare(np.asarray(image[..., ::-1], np.uint8))[np.newaxis]


def find(folder: Path) -> tuple[Images, Images]:
    """The images to calibrate on and those to compare on. Raises CalibrationError."""
    if not folder.is_dir():
        raise CalibrationError(
            f"there is no folder {folder}: pass one with images like those you will segment, using CALIBRATION= (--calibration)"
        )
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if len(found) < 2:
        raise CalibrationError(
            f"{folder} holds {len(found)} images ({', '.join(sorted(SUFFIXES))}): quantisation needs at least 2,"
            " one to calibrate on and one to compare on; about 50 work well"
        )
    files = [found[index * len(found) // MOST] for index in range(MOST)] if len(found) > MOST else found
    compared = tuple(files[HELD_OUT - 1 :: HELD_OUT]) or (files[-1],)
    calibrated = tuple(file for file in files if file not in compared)
    return Images(folder, calibrated), Images(folder, compared)


def preparation(resize: Resize | None, repository: Path) -> Prepare:
    """The network's own Resize, as a function from the code that serves it. Raises CalibrationError."""
    if resize is None:
        return lambda pixels: pixels
    code = repository / PREPROCESS / "1" / "resize.py"
    if not code.is_file():
        raise CalibrationError(f"there is no {code}: export into the project's model_repository, or copy preprocess from it")
    made: Prepare = run_path(str(code))["Resize"](**asdict(resize))
    return made
