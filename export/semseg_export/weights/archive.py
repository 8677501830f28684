"""A Paddle inference archive: its files, and how its inference.yml says to prepare pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semseg_contract.paddle_files import DESCRIPTION, PARAMETERS, PROGRAMS
from semseg_contract.resize import INTERPOLATIONS, Resize

from ..errors import DescriptionError, WeightsError
from . import description


@dataclass(frozen=True)
class Normalisation:
    """`pixel * alpha + beta` for each channel in float32, as PaddleX computes it."""

    alpha: tuple[float, float, float] = (1.0, 1.0, 1.0)
    beta: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 RGB [N, H, W, 3] to the network's input, float32 [N, 3, H, W]."""
        scaled = pixels.astype(np.float32)
        scaled *= np.array(self.alpha, np.float32)
        scaled += np.array(self.beta, np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Archive:
    """A folder with a network: `program` is a PIR program (.json) or an older one (.pdmodel).

    `resize` is None if images keep their size, as with all of PaddleX's official networks but MaskFormer.
    """

    program: Path
    parameters: Path
    normalisation: Normalisation
    resize: Resize | None = None


def read_archive(folder: Path) -> Archive:
    """Raises WeightsError if a file is missing, DescriptionError if inference.yml requires something that cannot be served."""
    programs = [folder / program for program in PROGRAMS if (folder / program).is_file()]
    if not programs:
        raise WeightsError(f"{folder} has neither {' nor '.join(PROGRAMS)}: export the network for inference first")
    if not (folder / PARAMETERS).is_file():
        raise WeightsError(f"{folder} has no {PARAMETERS}: put it beside {programs[0].name}")
    return Archive(programs[0], folder / PARAMETERS, *read_description(folder / DESCRIPTION))


def read_description(file: Path) -> tuple[Normalisation, Resize | None]:
    """How an inference.yml prepares pixels. Raises DescriptionError if it requires something that cannot be served."""
    if not file.is_file():
        raise DescriptionError(f"{file.parent} has no {DESCRIPTION}, which says how to prepare pixels: add it")
    content = description.read(file)
    deploy = content.get("Deploy") if isinstance(content, dict) else None
    transforms = deploy.get("transforms") if isinstance(deploy, dict) else None
    if not isinstance(transforms, list) or not all(isinstance(entry, dict) for entry in transforms):
        raise DescriptionError(f"{file} has no list of transforms under Deploy")
    kinds = [str(entry.get("type")) for entry in transforms]
    others = sorted(set(kinds) - {"Normalize", "Resize"})
    if others:
        raise DescriptionError(f"{file} lists {', '.join(others)}: only Normalize and Resize are supported, as in PaddleX")
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise DescriptionError(f"{file} lists {', '.join(twice)} more than once: keep one")
    by_kind = dict(zip(kinds, transforms, strict=True))
    normalisation = _normalisation(by_kind["Normalize"], file) if "Normalize" in by_kind else Normalisation()
    return normalisation, _resize(by_kind["Resize"], file) if "Resize" in by_kind else None


def _resize(transform: dict[str, Any], file: Path) -> Resize | None:
    """Options and defaults are PaddleX's. None for a target size of -1, which leaves images unchanged."""
    unknown = sorted(transform.keys() - {"type", "target_size", "keep_ratio", "size_divisor", "interp"})
    if unknown:
        raise DescriptionError(f"{file} sets {', '.join(unknown)} of Resize: PaddleX has no such option")
    size = transform.get("target_size", -1)
    sides = size if isinstance(size, list) else [size, size]
    if sides == [-1, -1]:
        return None
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise DescriptionError(f"{file} sets target_size of Resize to {size}: it must be a number of pixels, or [width, height]")
    keep_ratio, divisor = transform.get("keep_ratio", True), transform.get("size_divisor", 32)
    if type(keep_ratio) is not bool:
        raise DescriptionError(f"{file} sets keep_ratio of Resize to {keep_ratio}: it must be true or false")
    if divisor is not None and (type(divisor) is not int or divisor < 1):
        raise DescriptionError(f"{file} sets size_divisor of Resize to {divisor}: it must be a positive integer or null")
    interp = str(transform.get("interp", "LINEAR")).upper()
    if interp not in INTERPOLATIONS:
        raise DescriptionError(f"{file} sets interp of Resize to {interp}: it must be one of {', '.join(INTERPOLATIONS)}")
    return Resize((sides[0], sides[1]), keep_ratio, divisor, interp)


def _normalisation(transform: dict[str, Any], file: Path) -> Normalisation:
    unknown = sorted(transform.keys() - {"type", "mean", "std"})
    if unknown:
        raise DescriptionError(f"{file} sets {', '.join(unknown)} of Normalize: only mean and std are supported")
    mean = _channels(transform.get("mean", 0.5), "mean", file)
    std = _channels(transform.get("std", 0.5), "std", file)
    if 0 in std:
        raise DescriptionError(f"{file} sets a std of Normalize to 0: it must not be zero")
    red, green, blue = ((1 / 255 / s, -m / s) for m, s in zip(mean, std, strict=True))
    return Normalisation((red[0], green[0], blue[0]), (red[1], green[1], blue[1]))


def _channels(value: Any, key: str, file: Path) -> list[float]:
    values: list[Any] = value if isinstance(value, list) else [value] * 3
    if len(values) != 3 or not all(isinstance(v, (int, float)) for v in values):
        raise DescriptionError(
            f"{file} sets {key} of Normalize to {value}: it must be a number, or three for red, green and blue"
        )
    return [float(v) for v in values]
