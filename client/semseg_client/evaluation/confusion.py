"""The confusion matrix of a data set, and the measures that papers and tools compute from it.

All sums are exact integers over all pixels of the data set. A mean over images, or sums in float32, give other figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IGNORED = 255  # the id of pixels that do not count

Counts = npt.NDArray[np.int64]


class UnknownId(ValueError):
    """A class id that the model does not know, in the ground truth or in an answer."""


def counts(truth: npt.NDArray[np.uint8], found: npt.NDArray[np.uint8], classes: int) -> Counts:
    """How many pixels of each class (row, by the ground truth) got each class (column): int64 [classes, classes].

    `truth` and `found` are uint8 [H, W]. Pixels whose true id is IGNORED do not count. Raises UnknownId.
    """
    known = truth != IGNORED
    right, given = truth[known], found[known]
    for what, ids in (("", right), ("the answer to it has ", given)):
        if ids.size and ids.max() >= classes:
            unknown = ", ".join(map(str, np.unique(ids[ids >= classes])[:5]))
            known_ids = f"the model's go from 0 to {classes - 1}, and {IGNORED} does not count"
            raise UnknownId(f"{what}class id {unknown}, but {known_ids}")
    pairs = right.astype(np.uint16) * np.uint16(classes) + given
    return np.bincount(pairs, minlength=classes**2).astype(np.int64).reshape(classes, classes)


@dataclass(frozen=True)
class Measures:
    """What a confusion matrix comes to; all figures from 0 to 1.

    A class is absent if no pixel has it, neither in the ground truth nor in the answer: its figures are NaN. `miou` and `dice`
    are means over the others, as cityscapesscripts and mmseg compute them. `miou_with_absent` and `dice_with_absent` count absent
    classes as 0, as PaddleSeg does. `accuracy` is the share of right pixels, and `kappa` Cohen's.
    """

    iou: npt.NDArray[np.float64]
    class_dice: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    miou: float
    miou_with_absent: float
    dice: float
    dice_with_absent: float
    accuracy: float
    kappa: float
    pixels: int


def measures(matrix: Counts) -> Measures:
    """The measures of a matrix of `counts`. Without any pixel, they are NaN."""
    right, true, given = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    pixels = int(matrix.sum())
    iou, class_dice = _ratio(right, true + given - right), _ratio(2 * right, true + given)
    by_chance = float((true / max(pixels, 1)) @ (given / max(pixels, 1)))
    accuracy = int(right.sum()) / pixels if pixels else float("nan")
    return Measures(
        iou=iou,
        class_dice=class_dice,
        precision=_ratio(right, given),
        recall=_ratio(right, true),
        miou=_mean(iou[~np.isnan(iou)]),
        miou_with_absent=_mean(np.nan_to_num(iou)),
        dice=_mean(class_dice[~np.isnan(class_dice)]),
        dice_with_absent=_mean(np.nan_to_num(class_dice)),
        accuracy=accuracy,
        kappa=(accuracy - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan"),
        pixels=pixels,
    )


def _ratio(part: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
