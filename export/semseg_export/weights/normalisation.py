"""The normalisation of pixels, which becomes part of the served graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from semseg_contract.transforms import Colour


@dataclass(frozen=True)
class Normalisation:
    """`pixel * alpha + beta` for each channel in float32, as PaddleX 3 computes it.

    PaddleSeg and PaddleX 2 divide and subtract in three steps, which rounds differently in the last bits.
    """

    alpha: Colour = (1.0, 1.0, 1.0)
    beta: Colour = (0.0, 0.0, 0.0)

    @classmethod
    def of(cls, mean: Colour, std: Colour, least: Colour = (0.0,) * 3, most: Colour = (255.0,) * 3) -> Normalisation:
        """`((pixel - least) / (most - least) - mean) / std` for each channel."""
        scale = [1 / (high - low) for low, high in zip(least, most, strict=True)]
        alpha = [factor / s for factor, s in zip(scale, std, strict=True)]
        beta = [-(low * factor + m) / s for low, factor, m, s in zip(least, scale, mean, std, strict=True)]
        return cls((alpha[0], alpha[1], alpha[2]), (beta[0], beta[1], beta[2]))

    @property
    def transform(self) -> dict[str, Any]:
        """As PaddleX's Normalize, which may differ in the last bit of a float64."""
        mean = [-b / a / 255 for a, b in zip(self.alpha, self.beta, strict=True)]
        return {"type": "Normalize", "mean": mean, "std": [1 / (255 * a) for a in self.alpha]}

    def pixel(self, normalised: Colour) -> Colour:
        """The pixel that becomes `normalised`."""
        red, green, blue = ((value - b) / a for value, a, b in zip(normalised, self.alpha, self.beta, strict=True))
        return red, green, blue

    def apply(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """RGB [N, H, W, 3], uint8 or float32, to the network's input, float32 [N, 3, H, W]."""
        scaled = pixels.astype(np.float32)
        scaled *= np.array(self.alpha, np.float32)
        scaled += np.array(self.beta, np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


RAW = Normalisation()  # leaves pixels as they are
