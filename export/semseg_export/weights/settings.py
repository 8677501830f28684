"""The settings of one transform in a file, checked as they are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from semseg_contract.transforms import INTERPOLATIONS, LARGEST, Colour, Size

from ..errors import DescriptionError, printable

T = TypeVar("T")
ALIASES = {"CUBIC": "BICUBIC"}  # PaddleSeg's and OpenCV's name
# What lies beyond is a mistake, and would overflow.
MOST = 1e12  # of any number
LEAST = 1e-6  # of one that something is divided by


class Wrong(ValueError):
    """A value is not what it must be. The message is what follows "it must be"."""


@dataclass
class Settings:
    """The settings of a `kind` of transform in `file`; `source` is whose transform it is."""

    file: Path
    source: str
    kind: str
    given: dict[str, Any]
    _taken: set[str] = field(default_factory=set)

    def take(self, key: str, read: Callable[[Any], T], default: T) -> T:
        """The value of `key`. Raises DescriptionError if `read` refuses it."""
        self._taken.add(key)
        if key not in self.given:
            return default
        try:
            return read(self.given[key])
        except Wrong as error:
            told = printable(str(self.given[key]))
            raise DescriptionError(f"{self.file} sets {key} of {self.kind} to {told}: it must be {error}") from None

    def require(self, key: str, read: Callable[[Any], T]) -> T:
        """Like `take`, but the key must be there."""
        if key not in self.given:
            raise DescriptionError(f"{self.file} does not set {key} of {self.kind}: add it")
        value: T = self.take(key, read, self.given[key])
        return value

    def refusal(self, reason: str) -> DescriptionError:
        """The error that `reason`, a sentence about several settings, is to be raised as."""
        return DescriptionError(f"{self.file}: {reason}")

    def done(self) -> None:
        """Raise DescriptionError if there are keys that nobody took."""
        unknown = sorted(map(str, self.given.keys() - self._taken))
        if unknown:
            raise DescriptionError(
                f"{self.file} sets {printable(', '.join(unknown))} of {self.kind}: {self.source} has no such option"
            )


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def pixels(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise Wrong(f"a positive integer of at most {LARGEST}")
    return value


def pixels_or_none(value: Any) -> int | None:
    try:
        return None if value is None else pixels(value)
    except Wrong as error:
        raise Wrong(f"{error} or null") from None


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise Wrong(f"a number of at most {MOST:.0f}")
    return float(value)


def positive(value: Any) -> float:
    if number(value) < LEAST:
        raise Wrong(f"a positive number of at least {LEAST:f}")
    return float(value)


def two_sides(value: Any) -> Size:
    try:
        first, second = map(pixels, value)
    except (TypeError, ValueError):
        raise Wrong("two numbers of pixels") from None
    return first, second


def interpolation(value: Any) -> str:
    name = ALIASES.get(str(value).upper(), str(value).upper())
    if name == "RANDOM":
        raise Wrong(f"one of {', '.join(INTERPOLATIONS)}: at random, the same image would get different answers")
    if name not in INTERPOLATIONS:
        raise Wrong(f"one of {', '.join(INTERPOLATIONS)}")
    return name


def colour(value: Any) -> Colour:
    """A number for all channels, or one each for red, green and blue."""
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, 3):
        raise Wrong("a number, or three for red, green and blue")
    red, green, blue = (number(each) for each in (values * 3 if len(values) == 1 else values))
    return red, green, blue


def nonzero(value: Any) -> Colour:
    if min(map(abs, colour(value))) < LEAST:
        raise Wrong(f"other than zero, by at least {LEAST:f}")
    return colour(value)
