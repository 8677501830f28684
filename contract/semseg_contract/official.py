"""PaddleX's semantic segmentation networks, whose official weights can be exported by name alone, and its figures for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from .datasets import ADE20K, CITYSCAPES

# How the published mIoU was measured. A served model processes each image whole and at its own size, as in the first protocol;
# MaskFormer stretches it, as in the last, which is that of PaddleX's configuration for evaluation.
NATIVE = "2048x1024"
HALVED = "1024x512"
WINDOWS = "1024² windows"  # sliding by 768, logits averaged: PaddleX's "(slice)"
SHORT = "side of 512"  # the shorter one
STRETCHED = "512x512"


@dataclass(frozen=True)
class Published:
    """PaddleX's figure for a network: `miou` in per cent, the data set's name, and how it was measured."""

    miou: float
    data_set: str
    protocol: str


PUBLISHED = {
    "OCRNet_HRNet-W48": Published(82.15, CITYSCAPES.name, NATIVE),
    "OCRNet_HRNet-W18": Published(80.67, CITYSCAPES.name, NATIVE),
    "PP-LiteSeg-T": Published(73.10, CITYSCAPES.name, HALVED),
    "PP-LiteSeg-B": Published(75.25, CITYSCAPES.name, HALVED),
    "Deeplabv3-R50": Published(79.90, CITYSCAPES.name, NATIVE),
    "Deeplabv3-R101": Published(80.85, CITYSCAPES.name, NATIVE),
    "Deeplabv3_Plus-R50": Published(80.36, CITYSCAPES.name, NATIVE),
    "Deeplabv3_Plus-R101": Published(81.10, CITYSCAPES.name, NATIVE),
    "SegFormer-B0": Published(76.73, CITYSCAPES.name, WINDOWS),
    "SegFormer-B1": Published(78.35, CITYSCAPES.name, WINDOWS),
    "SegFormer-B2": Published(81.60, CITYSCAPES.name, WINDOWS),
    "SegFormer-B3": Published(82.47, CITYSCAPES.name, WINDOWS),
    "SegFormer-B4": Published(82.38, CITYSCAPES.name, WINDOWS),
    "SegFormer-B5": Published(82.58, CITYSCAPES.name, WINDOWS),
    "SeaFormer_tiny": Published(34.58, ADE20K.name, SHORT),
    "SeaFormer_small": Published(38.73, ADE20K.name, SHORT),
    "SeaFormer_base": Published(40.92, ADE20K.name, SHORT),
    "SeaFormer_large": Published(43.66, ADE20K.name, SHORT),
    "MaskFormer_tiny": Published(46.69, ADE20K.name, STRETCHED),
    "MaskFormer_small": Published(49.70, ADE20K.name, STRETCHED),
}
OFFICIAL = tuple(PUBLISHED)


def similar(name: str, names: Iterable[str]) -> list[str]:
    """At most three of `names` that may have been meant, the likeliest first. Case, spaces and punctuation do not count."""
    by_letters = {_letters(each): each for each in names}
    return [by_letters[found] for found in get_close_matches(_letters(name), by_letters, n=3, cutoff=0.7)]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
