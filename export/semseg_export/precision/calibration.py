"""The images that a network is quantised by: those of a folder, as they will reach the network when it is served.

Every fifth is not calibrated on: by these the quantised network is compared with its original.
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
MOST = 200  # images; the ranges of a network's layers are known long before
HELD_OUT = 5  # the last of so many


@dataclass(frozen=True)
class Images:
    """Files of images in a folder or the folders in it, of which `read` gives the pixels."""

    folder: Path
    files: tuple[Path, ...]

    def read(self, prepare: Prepare) -> Iterator[Pixels]:
        """Pixels uint8 [1, H, W, 3] RGB. Raises CalibrationError at the first that cannot be read."""
        for file in self.files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR)
            if image is None:
                raise CalibrationError(f"{file} cannot be read as an image: mend it, or take it out of the calibration's folder")
            yield prepare(np.asarray(image[..., ::-1], np.uint8))[np.newaxis]


def find(folder: Path) -> tuple[Images, Images]:
    """The images to calibrate on and those to compare on. Raises CalibrationError."""
    if not folder.is_dir():
        raise CalibrationError(
            f"there is no folder {folder}: pass one of images like those to come by CALIBRATION= (--calibration)"
        )
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if len(found) < 2:
        raise CalibrationError(
            f"{folder} holds {len(found)} images ({', '.join(sorted(SUFFIXES))}): quantisation needs 2, one to calibrate on and"
            " one to compare on; some 50 of all kinds to come are good"
        )
    files = [found[index * len(found) // MOST] for index in range(MOST)] if len(found) > MOST else found
    compared = tuple(files[HELD_OUT - 1 :: HELD_OUT]) or (files[-1],)
    calibrated = tuple(file for file in files if file not in compared)
    return Images(folder, calibrated), Images(folder, compared)


def preparation(resize: Resize | None, repository: Path) -> Prepare:
    """The network's own Resize, done by the code that will do it when the network is served. Raises CalibrationError."""
    if resize is None:
        return lambda pixels: pixels
    code = repository / PREPROCESS / "1" / "resize.py"
    if not code.is_file():
        raise CalibrationError(f"there is no {code}: export into the project's model_repository, or copy preprocess from it")
    made: Prepare = run_path(str(code))["Resize"](**asdict(resize))
    return made
