"""Trained weights, .pdparams, as Paddle saves them: a pickled dictionary of arrays, read so that it cannot run code."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UnpackError, WeightsError

Values = dict[str, npt.NDArray[np.float32]]

# All that arrays and Paddle's tensors, which are pickled as tuple((name, array)), are made of.
HARMLESS = {
    ("builtins", "tuple"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
}

NAMES = "StructuredToParameterName@@"
SLICED = "UnpackBigParamInfor@@"


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # Protocol 2 calls Python 3's modules by the names of Python 2's.
        module = "builtins" if module == "__builtin__" else module
        if (module, name) not in HARMLESS:
            raise WeightsError(f"wants to run {module}.{name}, which no weights need: do not trust it")
        return super().find_class(module, name)


def read(file: Path) -> Values:
    """Every parameter and statistic by name, as float32. Raises UnpackError."""
    try:
        with file.open("rb") as stream:
            content = _Reader(stream, encoding="latin1").load()
    except WeightsError as error:
        raise UnpackError(f"{file.name} was refused: it {error}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError) as error:
        told = "a zip archive, as PyTorch saves weights" if zipfile.is_zipfile(file) else " ".join(str(error).split())
        raise UnpackError(f"{file.name} is not a whole .pdparams of Paddle ({told}): get it again, or pass another") from error
    if not isinstance(content, dict):
        raise UnpackError(f"{file.name} holds a {type(content).__name__}, not parameters by name: pass the .pdparams of training")
    try:
        return {name: _values(name, value) for name, value in _whole(content).items()}
    except WeightsError as error:
        raise UnpackError(f"{file.name} {error}: pass the .pdparams of training") from None


def _whole(content: dict[str, Any]) -> dict[str, Any]:
    """Without Paddle's notes: its own names of the parameters, and how it sliced those larger than a gigabyte."""
    content = dict(content)
    content.pop(NAMES, None)
    try:
        for name, how in content.pop(SLICED, {}).items():
            parts = [content.pop(part) for part in how["slices"]]
            content[name] = np.concatenate(parts).reshape(how["OriginShape"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"misses slices of its large parameters ({error})") from error
    return content


def _values(name: str, value: Any) -> npt.NDArray[np.float32]:
    array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise WeightsError(f"holds {kind} under {name}, not an array of floats")
    return array.astype(np.float32)


def check(found: dict[str, list[int]], wanted: dict[str, list[int]], architecture: str) -> None:
    """Compare shapes by name. Raises WeightsError that names the missing, the unexpected and the misshapen."""
    missing = [name for name in wanted if name not in found]
    unexpected = [name for name in found if name not in wanted]
    misshapen = [f"{name} {found[name]} (not {wanted[name]})" for name in wanted if name in found and found[name] != wanted[name]]
    parts = [("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen)]
    told = [f"{len(names)} {kind}: {_first(names)}" for kind, names in parts if names]
    if told:
        raise WeightsError(
            f"the weights are not those of {architecture}: {'; '.join(told)}. Name the network that was trained by --architecture"
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
