"""The class names of a network."""

from __future__ import annotations

import re
from pathlib import Path

from semseg_contract.encoding import UTF_8, decoded

from ..errors import ClassesError
from . import zoo


def class_names(model: str, count: int, file: Path | None, labels: tuple[str, ...] | None = None) -> list[str]:
    """Names of the network's `count` classes: from `file`, one per line, or the network's own `labels`, or those of its data set.

    A network that was retrained for another number of classes gets "class 0", "class 1", ... Raises ClassesError.
    """
    if file is not None:
        return _read_names(file, count)
    if labels is not None and len(labels) == count:
        return list(labels)
    data_set = zoo.data_set(model)
    if data_set is not None and len(data_set.classes) == count:
        return list(data_set.classes)
    return [f"class {index}" for index in range(count)]


def misfit(count: int, file: Path | None, labels: tuple[str, ...] | None, described_by: str) -> tuple[str, ...]:
    """A note if the network's own `labels`, from the file `described_by`, are not used because their number is wrong."""
    if file is not None or labels is None or len(labels) == count:
        return ()
    return (
        f"{described_by} names {len(labels)} classes, but the network has {count}: its names are not used. Name the classes in a"
        " file with CLASSES= (--classes), one per line",
    )


def told(file: Path | None, names: list[str]) -> str:
    """What to tell of names that were read from `file`: the names, to see them right, if they are not its lines in UTF-8."""
    if file is None:
        return ""
    text, encoding = decoded(file.read_bytes())
    if encoding != UTF_8:
        return f" (names in {encoding}: {', '.join(names)})"
    return "" if _lines(text) == names else f" (names by their ids: {', '.join(names)})"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_names(file: Path, count: int) -> list[str]:
    try:
        names = _lines(decoded(file.read_bytes())[0])
    except (OSError, ValueError) as error:
        raise ClassesError(f"cannot read class names from {file}: {error}") from error
    if len(names) != count:
        raise ClassesError(f"{file} names {len(names)} classes, but the network has {count}: write one name per line")
    return _by_id(names)


def _by_id(names: list[str]) -> list[str]:
    """The names in the order of the class ids, if each line begins with its id, as in a label map of TensorFlow or PaddleSeg."""
    found = [re.fullmatch(r"(\d{1,3})\s*[\s:,]\s*(\S.*)", name) for name in names]
    named = {int(match[1]): match[2] for match in found if match is not None}
    return [named[index] for index in range(len(names))] if sorted(named) == [*range(len(names))] else names
