"""Medians, percentiles and spreads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Spread", "median", "p99"]


def p99(values: Sequence[float]) -> float:
    """The smallest value that 99 % of the values do not exceed; the largest if there are fewer than a hundred."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


@dataclass(frozen=True)
class Spread:
    """A figure over several rounds."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(min(values), median(values), max(values))
