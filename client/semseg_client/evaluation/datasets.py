"""Data sets with ground truth, in the layouts that PaddleSeg's users have.

- Cityscapes: leftImg8bit/val/CITY/NAME_leftImg8bit.png and gtFine/val/CITY/NAME_gtFine_labelTrainIds.png or, without those,
  NAME_gtFine_labelIds.png, whose ids are mapped as cityscapesscripts does.
- ADE20K: images/validation/NAME.jpg and annotations/validation/NAME.png, whose ids count from 1; 0 does not count.
- PaddleSeg's own: val.txt, with an image and its ground truth on each line, relative to the folder of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from semseg_contract.encoding import decoded

from ..errors import InvalidInput, UnreadableInput
from .confusion import IGNORED

LIST = "val.txt"

# Cityscapes' `id` to its `trainId`: github.com/mcordts/cityscapesScripts, helpers/labels.py.
_TRAIN_IDS = {
    each: number for number, each in enumerate((7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33))
}


@dataclass(frozen=True)
class Sample:
    """An image and the file of its ground truth. `name` tells it from the others."""

    name: str
    image: Path
    truth: Path


@dataclass(frozen=True)
class DataSet:
    """`mapping` (uint8 [256]) makes class ids of what the files of the ground truth hold."""

    layout: str
    samples: Sequence[Sample]
    mapping: npt.NDArray[np.uint8]

    def truth(self, sample: Sample) -> npt.NDArray[np.uint8]:
        """The true class ids, uint8 [H, W]. Raises UnreadableInput."""
        return self.mapping[_ids(sample.truth)]


def data_set(path: Path) -> DataSet:
    """The samples for validation in a folder, or in a list like PaddleSeg's. Raises InvalidInput."""
    if path.is_file():
        return _listed(path)
    if (path / LIST).is_file():
        return _listed(path / LIST)
    if (path / "leftImg8bit" / "val").is_dir():
        return _cityscapes(path)
    if (path / "images" / "validation").is_dir():
        return _ade20k(path)
    told = "does not exist" if not path.exists() else "has no data set that this command knows"
    raise InvalidInput(
        f"{path} {told}: pass a folder with {LIST} (PaddleSeg), leftImg8bit/val and gtFine/val (Cityscapes), or images/validation"
        " and annotations/validation (ADE20K)"
    )


def _listed(file: Path) -> DataSet:
    try:
        lines = [line.strip() for line in decoded(file.read_bytes())[0].splitlines()]
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{file}: cannot be read: {error}") from None
    samples = []
    for number, line in enumerate(lines, 1):
        names = line.split("\t") if "\t" in line else line.split(" ")
        if not line:
            continue
        if len(names) != 2:
            told = "must be an image and its ground truth, with a space or a tab between them"
            raise InvalidInput(f"{file}, line {number}: {told}")
        samples.append(Sample(names[0], file.parent / names[0], file.parent / names[1]))
    return _checked("PaddleSeg", file, samples, np.arange(256))


def _cityscapes(folder: Path) -> DataSet:
    images = sorted((folder / "leftImg8bit" / "val").glob("*/*_leftImg8bit.png"))
    stems = [image.relative_to(folder / "leftImg8bit").as_posix().removesuffix("_leftImg8bit.png") for image in images]
    mapped = not any((folder / "gtFine" / f"{stem}_gtFine_labelTrainIds.png").exists() for stem in stems)
    kind = "labelIds" if mapped else "labelTrainIds"
    samples = [
        Sample(stem, image, folder / "gtFine" / f"{stem}_gtFine_{kind}.png") for stem, image in zip(stems, images, strict=True)
    ]
    mapping = np.full(256, IGNORED)
    for label, train_id in _TRAIN_IDS.items():
        mapping[label] = train_id
    return _checked("Cityscapes", folder, samples, mapping if mapped else np.arange(256))


def _ade20k(folder: Path) -> DataSet:
    images = sorted((folder / "images" / "validation").glob("*.jpg"))
    truths = folder / "annotations" / "validation"
    samples = [Sample(image.stem, image, truths / f"{image.stem}.png") for image in images]
    return _checked("ADE20K", folder, samples, np.arange(-1, 255) % 256)


def _checked(layout: str, place: Path, samples: list[Sample], mapping: npt.NDArray[np.int64]) -> DataSet:
    if not samples:
        raise InvalidInput(f"{place}: there are no images for validation in it")
    return DataSet(layout, samples, mapping.astype(np.uint8))


def _ids(file: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            mode, ids = image.mode, np.asarray(image)
    except FileNotFoundError:
        raise UnreadableInput(f"{file}: there is no such file") from None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UnreadableInput(f"{file}: cannot be read: {error}") from None
    if ids.ndim != 2:
        raise UnreadableInput(f"{file}: is a colour image ({mode}), but the ground truth must hold a class id for each pixel")
    if ids.dtype.kind not in "ubi":
        raise UnreadableInput(f"{file}: holds fractions ({mode}), but the ground truth must hold a class id for each pixel")
    if ids.dtype != np.uint8 and (ids.min() < 0 or ids.max() > IGNORED):
        raise UnreadableInput(f"{file}: has values from {ids.min()} to {ids.max()}, but class ids go from 0 to {IGNORED}")
    return ids.astype(np.uint8)
