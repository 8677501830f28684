"""Many image files through one client: a picture and a JSON file for each, or the reason why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .client import Client
from .errors import SemsegError
from .files import write_whole
from .segmentation import Segmentation

_IN_FLIGHT = 4  # requests at a time, so that the server has the next image while we write the last


@dataclass(frozen=True)
class Prediction:
    """What was found in `image`, and where it was written; `shares` are of the pixels, 0 to 1, by class."""

    image: Path
    size: tuple[int, int]
    shares: dict[str, float]
    picture: Path
    label_map: Path


@dataclass(frozen=True)
class Failure:
    """Why `image` was not segmented."""

    image: Path
    reason: str


def predict(
    client: Client, images: Sequence[Path], folder: Path, model: str, target_size: int | None = None
) -> Iterator[Prediction | Failure]:
    """Segment `images`, several at a time; the results come in their order."""

    def one(image: Path, stem: str) -> Prediction | Failure:
        picture, label_map = folder / f"{stem}_res.jpg", folder / f"{stem}_res.json"
        try:
            segmentation = client.segment(image, model, target_size=target_size)
            write_whole(picture, cast(bytes, segmentation.picture))
            write_whole(label_map, document(image, segmentation))
        except OSError as error:
            return Failure(image, error.strerror or str(error))
        except SemsegError as error:
            return Failure(image, str(error))
        return Prediction(image, segmentation.size, segmentation.shares(), picture, label_map)

    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        yield from pool.map(one, images, stems(images))


def stems(images: Sequence[Path]) -> list[str]:
    """A name for each image's files: its own without the suffix, numbered where another has it already."""
    taken: set[str] = set()
    names = []
    for image in images:
        name, number = image.stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{image.stem}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def document(image: Path, segmentation: Segmentation) -> bytes:
    """A segmentation as JSON; `labelMap` and `size` are as in the gateway's answers."""
    content = {
        "input_path": str(image),
        "model": segmentation.model,
        "size": segmentation.size,
        "classNames": segmentation.class_names,
        "labelMap": segmentation.label_map.ravel().tolist(),
    }
    return json.dumps(content, separators=(",", ":")).encode()
