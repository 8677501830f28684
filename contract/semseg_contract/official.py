"""The names of PaddleX's semantic segmentation networks, whose official weights can be exported by name alone."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

OFFICIAL = (
    "OCRNet_HRNet-W48",
    "OCRNet_HRNet-W18",
    "PP-LiteSeg-T",
    "PP-LiteSeg-B",
    "Deeplabv3-R50",
    "Deeplabv3-R101",
    "Deeplabv3_Plus-R50",
    "Deeplabv3_Plus-R101",
    "SegFormer-B0",
    "SegFormer-B1",
    "SegFormer-B2",
    "SegFormer-B3",
    "SegFormer-B4",
    "SegFormer-B5",
    "SeaFormer_tiny",
    "SeaFormer_small",
    "SeaFormer_base",
    "SeaFormer_large",
    "MaskFormer_tiny",
    "MaskFormer_small",
)


def similar(name: str, names: Iterable[str]) -> list[str]:
    """At most three of `names` that may have been meant, the likeliest first. Case, spaces and punctuation do not count."""
    by_letters = {_letters(each): each for each in names}
    return [by_letters[found] for found in get_close_matches(_letters(name), by_letters, n=3, cutoff=0.7)]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
