"""Reads how pixels are prepared, from the file that a network's exporter wrote beside it, or from its training configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semseg_contract.paddle_files import DESCRIPTIONS
from semseg_contract.transforms import Filling, Preparation, Size, Step, ToFloat

from ..errors import DescriptionError, printable
from . import description
from .dialects import PADDLESEG, PADDLEX, PADDLEX_2, Dialect
from .normalisation import RAW, Normalisation
from .settings import Settings

PLAIN, DEPLOYED, TWO = DESCRIPTIONS
# Of images, to find out whether a preparation gives them all one size: tiny, wide, high, square, odd, large.
SOURCES: tuple[Size, ...] = ((32, 32), (2048, 1024), (600, 800), (512, 512), (333, 417), (4000, 3000))
EXAMPLE = """\
Deploy:
  transforms:
  - type: Normalize   # as all of PaddleX's Cityscapes networks: (pixel / 255 - 0.5) / 0.5"""


@dataclass(frozen=True)
class Described:
    """How pixels are prepared, the network's class names if the file has them, and what the user should know."""

    normalisation: Normalisation = RAW
    steps: tuple[Step, ...] = ()
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def made(steps: tuple[Step, ...]) -> list[Size]:
    """The sizes that steps make of SOURCES, without those that they refuse."""
    return Preparation(steps).made_of(SOURCES)


def find(folder: Path) -> Path:
    """The file in `folder` that says how pixels are prepared. Raises DescriptionError if there is none, or several."""
    found = [folder / name for name in DESCRIPTIONS if (folder / name).is_file()]
    if not found:
        raise DescriptionError(
            f"{folder} has no {', '.join(DESCRIPTIONS[:-1])} or {DESCRIPTIONS[-1]}, which say how to prepare pixels: add"
            f" {PLAIN} with these lines, and what else the network was trained with",
            EXAMPLE,
        )
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise DescriptionError(f"{folder} holds {names}, which PaddleX and PaddleSeg read differently: keep the right one")
    return found[0]


def read(file: Path) -> Described:
    """What one of DESCRIPTIONS says. Raises DescriptionError."""
    content = description.read(file)
    if file.name == TWO:
        return _read_two(content, file)
    deploy = content.get("Deploy") if isinstance(content, dict) else None
    entries = deploy.get("transforms") if isinstance(deploy, dict) else None
    listed = _typed(entries, f"{file} has no list of transforms under Deploy", file)
    if file.name == DEPLOYED:
        return interpret(listed, PADDLESEG, file)
    others = sorted({kind for kind, _ in listed} - PADDLEX.readers.keys())
    if others and set(others) <= PADDLESEG.readers.keys():
        note = f"{file.name} lists {', '.join(others)}, which PaddleX cannot run: all transforms are read as PaddleSeg means them"
        read_as_seg = interpret(listed, PADDLESEG, file)
        return replace(read_as_seg, notes=(note, *read_as_seg.notes))
    return _told_of_paddleseg(listed, interpret(listed, PADDLEX, file), file)


def training(entries: Any, file: Path) -> Described:
    """What the transforms of a PaddleSeg training configuration say. Raises DescriptionError."""
    return interpret(_typed(entries, f"{file} has no list of transforms under val_dataset", file), PADDLESEG, file)


def paddlex(entries: Any, file: Path) -> Described:
    """What PaddleX means by transforms of its own. Raises DescriptionError."""
    return interpret(_typed(entries, f"{file} has no list of transforms", file), PADDLEX, file)


def interpret(listed: list[tuple[str, dict[str, Any]]], dialect: Dialect, file: Path) -> Described:
    """The meaning of a list of transforms, each a type and its settings. Raises DescriptionError."""
    steps: list[Step] = [ToFloat()] if dialect.floats else []
    normalisation: Normalisation | None = None
    for kind, given in listed:
        if kind not in dialect.readers:
            raise DescriptionError(
                f"{file} lists {printable(kind)}, which cannot be served: the transforms of {dialect.program} that can are"
                f" {', '.join(dialect.readers)}"
            )
        settings = Settings(file, dialect.program, kind, given)
        meaning = dialect.readers[kind](settings)
        settings.done()
        if isinstance(meaning, Normalisation):
            if normalisation is not None:
                raise DescriptionError(f"{file} lists {kind} more than once: keep one")
            normalisation = meaning
        elif meaning is not None:
            if dialect is PADDLEX and steps:
                raise DescriptionError(f"{file} lists {kind} more than once: keep one")
            late = normalisation if dialect is not PADDLEX else None  # PaddleX always normalises last
            steps += _placed(meaning, late, steps)
    notes = () if normalisation else (f"{file.name} lists no Normalize: the network gets values from 0 to 255",)
    kept = () if steps == [ToFloat()] else tuple(steps)
    return Described(normalisation or RAW, kept, None, notes)


def _placed(step: Step, normalisation: Normalisation | None, before: list[Step]) -> list[Step]:
    """The step as one on pixels, although it may come after the `normalisation`. It then computes in float32, as PaddleX 2's
    padding always does."""
    floats = (isinstance(step, Filling) or normalisation is not None) and ToFloat() not in before
    if isinstance(step, Filling) and normalisation is not None:
        step = replace(step, colour=normalisation.pixel(step.colour))
    return [ToFloat(), step] if floats else [step]


def _told_of_paddleseg(listed: list[tuple[str, dict[str, Any]]], read_as: Described, file: Path) -> Described:
    """Warn if PaddleSeg, whose exporter for FastDeploy writes such files, too, makes other sizes of images."""
    try:
        other = interpret(listed, PADDLESEG, file)
    except DescriptionError:
        return read_as  # PaddleSeg cannot read it, so it did not write it
    for width, height in SOURCES:
        ours, theirs = (Preparation(each.steps).made_of([(width, height)]) for each in (read_as, other))
        if ours and theirs and ours != theirs:
            (columns, rows), (their_columns, their_rows) = ours[0], theirs[0]
            note = (
                f"{file.name} is read as PaddleX does, which makes {columns}x{rows} of an image of {width}x{height}. PaddleSeg"
                f" makes {their_columns}x{their_rows} of it: if it exported this network, rename the file to {DEPLOYED}"
            )
            return replace(read_as, notes=(note, *read_as.notes))
    return read_as


def _typed(entries: Any, otherwise: str, file: Path) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DescriptionError(otherwise)
    for entry in entries:
        if not isinstance(entry.get("type"), str):
            raise DescriptionError(f"{file} lists a transform without a type: add it")
    return [(entry["type"], {key: value for key, value in entry.items() if key != "type"}) for entry in entries]


def _read_two(content: Any, file: Path) -> Described:
    """PaddleX 2's model.yml: each transform is a mapping of its name to its settings."""
    listed = content.get("Transforms") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) and len(entry) == 1 for entry in listed):
        raise DescriptionError(f"{file} has no list of Transforms, as PaddleX 2 writes it")
    attributes = content.get("_Attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    kind = attributes.get("model_type", "segmenter")
    if kind != "segmenter":
        raise DescriptionError(f"{file} belongs to a {kind}: pass a network for semantic segmentation")
    named = [(str(name), settings or {}) for entry in listed for name, settings in entry.items()]
    if not all(isinstance(settings, dict) for _, settings in named):
        raise DescriptionError(f"{file} has Transforms without settings by name")
    labels = attributes.get("labels")
    names = tuple(map(str, labels)) if isinstance(labels, list) and labels else None
    return replace(interpret(named, PADDLEX_2, file), labels=names)
