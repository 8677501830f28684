"""Safely reads a pickle of dictionaries, tuples and arrays of numbers, with stand-ins for every class and function it names."""

from __future__ import annotations

import pickle
import pickletools
import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import printable

# What unpickling raises on a damaged file, or on one that claims to hold more than it does.
BROKEN = (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, MemoryError, OverflowError)

# OCRNet_HRNet-W48 has the most parameters (1,583) and takes 44,000 steps and 6,300 tuples. Hashing a key of
# 160,000 nested tuples overflows the stack. Ten million steps take half a minute.
STEPS = 200_000
TUPLES = 50_000


class Refused(Exception):
    """The file does something that weights never do."""


class Kind:
    """A stand-in for numpy.dtype: the kind, size and byte order of a number."""

    def __init__(self, code: str, *_: bool) -> None:
        if not re.fullmatch("[biufc][0-9]{1,2}", code):
            raise Refused(f"holds {printable(code)}, which is not a number type")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[int, str, Any, Any, Any, int, int, int]) -> None:
        if state[2:] != (None, None, None, -1, -1, 0):
            raise Refused("changes the memory layout of numbers")
        self.dtype = self.dtype.newbyteorder(state[1])  # type: ignore[arg-type]  # any other string is a ValueError


class Array:
    """A stand-in for numpy.ndarray. `values` is an array of numbers of any shape, empty until `__setstate__`."""

    values: npt.NDArray[Any] = np.zeros(0, bool)

    def __setstate__(self, state: tuple[int, tuple[int, ...], Kind, bool, bytes]) -> None:
        _, shape, kind, by_columns, content = state
        if type(kind) is not Kind or type(content) is not bytes:
            raise Refused("holds an array of something other than numbers")
        self.values = np.ndarray(shape, kind.dtype, content, order="F" if by_columns else "C")
        if self.values.nbytes != len(content) or any(side < 0 for side in shape):
            raise ValueError(f"{len(content)} bytes do not make an array of shape {shape}")


def _empty(*_: Any) -> Array:
    """numpy's _reconstruct: an array that __setstate__ fills later."""
    return Array()


def _number(*_: Any) -> float:
    """numpy's scalar. No parameter is a scalar, so the value does not matter."""
    return 0.0


def _encoded(text: str, encoding: str) -> bytes:
    """_codecs.encode: protocol 2 has no type for bytes and writes them as text."""
    if encoding != "latin1":
        raise Refused(f"encodes text as {printable(encoding)}")
    return text.encode("latin1")


STAND_INS: dict[tuple[str, str], Any] = {
    ("builtins", "tuple"): tuple,
    ("collections", "OrderedDict"): dict,  # an OrderedDict has attributes, which the file could set
    ("_codecs", "encode"): _encoded,
    ("numpy", "dtype"): Kind,
    ("numpy", "ndarray"): Array,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _empty for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _number for core in ("core", "_core")},
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # Protocol 2 uses Python 2's module names.
        module = "builtins" if module == "__builtin__" else module
        if (module, name) not in STAND_INS:
            raise Refused(f"wants to run {printable(module)}.{printable(name)}, which weights never need: do not trust it")
        return STAND_INS[module, name]


def load(file: Path) -> Any:
    """The file's content, with an `Array` for each array. Raises Refused, or one of BROKEN if it is damaged."""
    with file.open("rb") as stream:
        _weigh(stream)
        stream.seek(0)
        return _Reader(stream, encoding="latin1").load()


def _weigh(stream: BinaryIO) -> None:
    """Raises Refused if reading would take more memory than the file has bytes, or overflow the stack."""
    tuples = 0
    for step, (code, argument, position) in enumerate(pickletools.genops(stream)):
        if (
            code.name in ("PUT", "BINPUT", "LONG_BINPUT")
            and argument is not None
            and position is not None
            and argument > position
        ):
            raise Refused(f"reserves room for {argument} values")
        tuples += code.name.startswith("TUPLE")
        if step > STEPS or tuples > TUPLES:
            raise Refused(f"takes more than {STEPS} steps or {TUPLES} tuples, more than any network needs")
