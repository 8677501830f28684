"""How figures grow, fitted by least squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(values: Sequence[float], figures: Sequence[float]) -> float:
    """The power of `values` with which `figures` grow: the slope of a straight line through the logarithms of both."""
    return float(np.polyfit(np.log(values), np.log(figures), 1)[0])


def slope(values: Sequence[float], figures: Sequence[float]) -> float:
    """How much `figures` grow per unit of `values`."""
    return float(np.polyfit(values, figures, 1)[0])
