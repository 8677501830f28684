"""A network in two parts: its core on another engine, its tail on ONNX Runtime, as the backend `engines` serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semseg_contract.engine import CORE, FILES, LOGITS, SIZES, core, sizes
from semseg_contract.names import TAIL

from .runtime import Session


class Parts:
    """`folder` has tail.onnx and the engine's file."""

    def __init__(self, folder: Path, engine: str, threads: int) -> None:
        self.engine = engine
        self.tail = Session(folder / TAIL, threads=threads)
        end = self.tail.session.get_modelmeta().custom_metadata_map[CORE]
        self.core = core(engine, folder / FILES[engine], end, threads)

    def run(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """The ids uint8 [N, H, W] of pixels [N, H, W, 3]."""
        logits = self.core(pixels)
        ids: npt.NDArray[np.uint8] = self.tail.session.run(None, {LOGITS: logits, SIZES: sizes(pixels, logits)})[0]
        return ids
