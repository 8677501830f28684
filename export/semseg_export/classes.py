"""Names and colours of classes."""

from __future__ import annotations

from pathlib import Path

from . import zoo
from .errors import ClassesError

CITYSCAPES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip

ADE20K = (
    "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass", "cabinet", "sidewalk",
    "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car", "water", "painting", "sofa",
    "shelf", "house", "sea", "mirror", "rug", "field", "armchair", "seat", "fence", "desk", "rock", "wardrobe", "lamp",
    "bathtub", "railing", "cushion", "base", "box", "column", "signboard", "chest of drawers", "counter", "sand",
    "sink", "skyscraper", "fireplace", "refrigerator", "grandstand", "path", "stairs", "runway", "case", "pool table",
    "pillow", "screen door", "stairway", "river", "bridge", "bookcase", "blind", "coffee table", "toilet", "flower",
    "book", "hill", "bench", "countertop", "stove", "palm", "kitchen island", "computer", "swivel chair", "boat",
    "bar", "arcade machine", "hovel", "bus", "towel", "light", "truck", "tower", "chandelier", "awning", "streetlight",
    "booth", "television receiver", "airplane", "dirt track", "apparel", "pole", "land", "bannister", "escalator",
    "ottoman", "bottle", "buffet", "poster", "stage", "van", "ship", "fountain", "conveyer belt", "canopy", "washer",
    "plaything", "swimming pool", "stool", "barrel", "basket", "waterfall", "tent", "bag", "minibike", "cradle",
    "oven", "ball", "food", "step", "tank", "trade name", "microwave", "pot", "animal", "bicycle", "lake",
    "dishwasher", "screen", "blanket", "sculpture", "hood", "sconce", "vase", "traffic light", "tray", "ashcan", "fan",
    "pier", "crt screen", "plate", "monitor", "bulletin board", "shower", "radiator", "glass", "clock", "flag",
)  # fmt: skip


def class_names(model: str, count: int, file: Path | None) -> list[str]:
    """Names of the network's `count` classes: from `file`, one a line, or else those of the model's data set.

    A network that was trained anew for another number of classes has "class 0", "class 1", ... Raises ClassesError.
    """
    if file is not None:
        return _read_names(file, count)
    known = _data_set(model)
    return list(known) if len(known) == count else [f"class {index}" for index in range(count)]


def _data_set(model: str) -> tuple[str, ...]:
    if model in zoo.ADE20K_MODELS:
        return ADE20K
    if model in zoo.CITYSCAPES_MODELS or model == zoo.DEMO:
        return CITYSCAPES
    return ()


def _read_names(file: Path, count: int) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClassesError(f"cannot read class names from {file}: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if len(names) != count:
        raise ClassesError(f"{file} names {len(names)} classes, the network has {count}: write one name a line")
    return names


def palette(count: int) -> list[list[int]]:
    """PaddleX's colours, [red, green, blue] a class: those of PASCAL VOC without its first, black.

    Bit 3 j + c of the number goes to bit 7 - j of channel c.
    """
    return [
        [sum((number >> (3 * j + channel) & 1) << (7 - j) for j in range(8)) for channel in range(3)]
        for number in range(1, count + 1)
    ]
