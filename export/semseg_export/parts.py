"""A network in two parts: its core on OpenVINO, its tail on ONNX Runtime, as the backend `engines` serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semseg_contract.engine import CORE, LOGITS, SIZES, Core, sizes

from .runtime import Session


class Parts:
    def __init__(self, network: Path, tail: Path, threads: int) -> None:
        self.tail = Session(tail, threads=threads)
        self.core = Core(network, self.tail.session.get_modelmeta().custom_metadata_map[CORE], threads)

    def run(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The ids uint8 [N, H, W] of pixels [N, H, W, 3]."""
        logits = self.core(pixels)
        ids: npt.NDArray[np.uint8] = self.tail.session.run(None, {LOGITS: logits, SIZES: sizes(pixels, logits)})[0]
        return ids
