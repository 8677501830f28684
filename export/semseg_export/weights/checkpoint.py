"""Trained weights, .pdparams, as Paddle saves them: a pickled dictionary of arrays, read without running any code in it.

The pickle never gets numpy's own classes: a `numpy.ndarray` over bytes with a dtype of objects, or a dtype with a made-up state,
can read and write any memory. pickled.py lists the names that a file may use, and reading yields only numbers.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnpackError, WeightsError, printable
from . import pickled

Values = dict[str, npt.NDArray[np.float32]]

NAMES = "StructuredToParameterName@@"
SLICED = "UnpackBigParamInfor@@"


def read(file: Path) -> Values:
    """Every parameter, statistic and index by name, as float32. Raises UnpackError."""
    try:
        content = pickled.load(file)
    except pickled.Refused as error:
        raise UnpackError(f"{file.name} was refused: it {error}") from None
    except pickled.BROKEN as error:
        told = "a zip archive, as PyTorch saves weights" if zipfile.is_zipfile(file) else printable(str(error))
        raise UnpackError(
            f"{file.name} is not a complete .pdparams file from Paddle ({told}): download or copy it again, or pass another"
        ) from error
    if not isinstance(content, dict):
        raise UnpackError(
            f"{file.name} holds a {type(content).__name__}, not parameters by name: pass the .pdparams from training"
        )
    try:
        arrays = {_name(name): _array(name, value) for name, value in content.items() if name not in (NAMES, SLICED)}
        if sum(array.nbytes for array in arrays.values()) > file.stat().st_size:
            raise WeightsError("holds more data than the file has bytes, by repeating arrays under several names")
        whole = _whole(arrays, content.get(SLICED, {}))
    except WeightsError as error:
        raise UnpackError(f"{file.name} {error}: pass the .pdparams from training") from None
    return {name: array.astype(np.float32) for name, array in whole.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.isprintable():
        raise WeightsError(f"holds a {type(name).__name__} where a parameter's name should be")
    return name


def _array(name: str, value: Any) -> npt.NDArray[Any]:
    """Paddle pickles a tensor as an array or as (name, array)."""
    array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
    # MaskFormer also saves the relative positions in Swin's windows, as int64.
    if not isinstance(array, pickled.Array) or (array.values.dtype.kind != "f" and array.values.dtype != np.int64):
        kind = array.values.dtype if isinstance(array, pickled.Array) else type(array).__name__
        raise WeightsError(f"holds {kind} under {name}, not an array of floats")
    return array.values


def _whole(arrays: dict[str, npt.NDArray[Any]], sliced: Any) -> dict[str, npt.NDArray[Any]]:
    """Join the parameters that Paddle saves in slices because they are larger than a gigabyte."""
    try:
        for name, how in sliced.items():
            parts = [arrays.pop(part) for part in how["slices"]]
            arrays[_name(name)] = np.concatenate(parts).reshape(how["OriginShape"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"lacks slices of its large parameters ({printable(str(error))})") from error
    return arrays


def check(found: dict[str, list[int]], wanted: dict[str, list[int]], architecture: str) -> None:
    """Compare shapes by name. Raises WeightsError, naming what is missing, unexpected or has the wrong shape."""
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    misshapen = [f"{name} {found[name]} (not {wanted[name]})" for name in wanted if name in found and found[name] != wanted[name]]
    parts = [("missing", missing), ("unexpected", unexpected), ("with the wrong shape", misshapen)]
    told = [f"{len(names)} {kind}: {_first(names)}" for kind, names in parts if names]
    if told:
        raise WeightsError(
            f"the weights do not fit {architecture}: {'; '.join(told)}. Pass the name of the trained network with --architecture"
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
