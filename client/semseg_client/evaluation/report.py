"""What an evaluation found: as JSON, CSV and pictures."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..results.picture import encoded, indexed
from ..results.result import Result
from .confusion import IGNORED, Counts, Measures

COLUMNS = ("id", "class", "iou", "dice", "precision", "recall", "pixels", "share")

_CELL, _GAP = 22, 8  # pixels
_THUMBNAIL = 360, 480  # pixels, at most
_WIDTH = 4 * _THUMBNAIL[0] + 3 * _GAP  # of the contact sheet


def rows(found: Measures, matrix: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of each class under COLUMNS, None where it is absent. `pixels` and `share` are those of the ground truth."""
    true = matrix.sum(axis=1)
    return [
        {
            "id": number,
            "class": name,
            "iou": _told(found.iou[number]),
            "dice": _told(found.class_dice[number]),
            "precision": _told(found.precision[number]),
            "recall": _told(found.recall[number]),
            "pixels": int(true[number]),
            "share": _told(true[number] / max(found.pixels, 1)),
        }
        for number, name in enumerate(names)
    ]


def summary(found: Measures) -> dict[str, Any]:
    """The figures of the whole data set."""
    names = ("miou", "miou_with_absent", "accuracy", "kappa", "dice", "dice_with_absent")
    return {**{name: _told(getattr(found, name)) for name in names}, "pixels": found.pixels}


def document(found: Measures, matrix: Counts, names: Sequence[str], **more: Any) -> bytes:
    """Everything, and `more`, as JSON. Row i, column j of `confusion` counts the pixels of class i that got class j."""
    told = {**more, **summary(found), "classes": rows(found, matrix, names), "confusion": matrix.tolist()}
    return json.dumps(told, ensure_ascii=False).encode()


def table(found: Measures, matrix: Counts, names: Sequence[str]) -> bytes:
    """The classes as CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(found, matrix, names))
    return file.getvalue().encode()


def confusion_picture(matrix: Counts, names: Sequence[str]) -> bytes:
    """A PNG: each row is a true class, each column the class that was found, and dark cells hold most of their row's pixels."""
    font = ImageFont.load_default()
    left = _GAP + max(math.ceil(font.getlength(_label(number, name))) for number, name in enumerate(names)) + _GAP
    size = len(names) * _CELL
    picture = Image.new("RGB", (left + size + _GAP, size + _CELL + 2 * _GAP), "white")
    draw = ImageDraw.Draw(picture)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, name in enumerate(names):
        top = _CELL + _GAP + row * _CELL
        draw.text((_GAP, top + _CELL / 2), _label(row, name), "black", font, anchor="lm")
        draw.text((left + (row + 0.5) * _CELL, _GAP + _CELL / 2), str(row), "black", font, anchor="mm")
        for column, share in enumerate(shares[row].tolist()):
            corner = left + column * _CELL, top
            draw.rectangle((*corner, corner[0] + _CELL - 1, top + _CELL - 1), _shade(share), (235, 235, 235))
            if share >= 0.005:
                colour = "white" if share > 0.5 else "black"
                draw.text((corner[0] + _CELL / 2, top + _CELL / 2), f"{share * 100:.0f}", colour, font, anchor="mm")
    return encoded(picture, "PNG")


def contact_sheet(found: Iterable[tuple[str, Result, npt.NDArray[np.uint8]]]) -> bytes:
    """A JPEG with a row for each (caption, result, true ids): the image, the ground truth, the answer, and the pixels that
    differ, in red. Of each, only the row is kept in memory."""
    font = ImageFont.load_default()
    lines = [(caption, _row(result, truth)) for caption, result, truth in found]
    height = sum(line.height + _CELL for _, line in lines)
    sheet = Image.new("RGB", (_WIDTH, max(height, _CELL)), "white")
    draw, top = ImageDraw.Draw(sheet), 0
    for caption, line in lines:
        told = f"{caption}: image, ground truth, answer, differing pixels"
        draw.text((_GAP, top + _CELL / 2), told, "black", font, anchor="lm")
        sheet.paste(line, (0, top + _CELL))
        top += line.height + _CELL
    return encoded(sheet, "JPEG", quality=90)


def _row(result: Result, truth: npt.NDArray[np.uint8]) -> Image.Image:
    image, answer = result.overlay(0), result.img["res"]
    counted = truth != IGNORED
    true = np.array(indexed(truth, result.segmentation.palette).convert("RGB"))
    true[~counted] = 0
    grey = np.array(image.convert("L").convert("RGB")) // 2 + 100
    grey[counted & (truth != result.label_map)] = (220, 0, 0)
    pictures = (image, Image.fromarray(true), answer, Image.fromarray(grey))
    for picture in pictures:
        picture.thumbnail(_THUMBNAIL, Image.Resampling.BOX)
    line = Image.new("RGB", (_WIDTH, pictures[0].height), "white")
    for number, picture in enumerate(pictures):
        line.paste(picture, (number * (_THUMBNAIL[0] + _GAP), 0))
    return line


def _shade(share: float) -> tuple[int, int, int]:
    """White for 0, dark blue for 1."""
    return round(255 - 230 * share), round(255 - 180 * share), round(255 - 90 * share)


def _label(number: int, name: str) -> str:
    """Only the id, if Pillow's own font cannot write the name."""
    return f"{name} {number}" if name.isascii() else str(number)


def _told(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
