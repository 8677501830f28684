"""Fits of how figures grow, by least squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(values: Sequence[float], figures: Sequence[float]) -> float:
    """The power of `values` with which `figures` grow: a straight line through the logarithms of both."""
    return float(np.polyfit(np.log(values), np.log(figures), 1)[0])


def slope(values: Sequence[float], figures: Sequence[float]) -> float:
    """What one more of `values` adds."""
    return float(np.polyfit(values, figures, 1)[0])
