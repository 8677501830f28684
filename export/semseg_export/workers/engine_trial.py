"""Runs a network on OpenVINO, as the backend `engines` does, and measures it against ONNX Runtime.

    python -m semseg_export.workers.engine_trial FOLDER IMAGES.npy ...

FOLDER has model.onnx, model_cpu.onnx, tail.onnx and timed.npy, the image to measure with. Writes the ids of each of IMAGES as
ids_<number>.npy, and found.json: the median milliseconds of both engines, and the threads they had.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semseg_contract.cores import cores
from semseg_contract.names import ANY_DEVICE, CPU_ONLY, ONNXRUNTIME, TAIL

from ..parts import Parts
from ..runtime import Session

SECONDS = 1.0  # to measure each engine for, at least
ROUNDS = 3  # at least

Run = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]


def interleaved(engines: dict[str, Run], pixels: npt.NDArray[Any]) -> dict[str, float]:
    """The median milliseconds of each, in turns, so that both see the same machine."""
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for run in engines.values():
        run(pixels)
    while any(len(each) < ROUNDS or sum(each) < SECONDS for each in taken.values()):
        for name, run in engines.items():
            since = time.perf_counter()
            run(pixels)
            taken[name].append(time.perf_counter() - since)
    return {name: round(statistics.median(each) * 1e3, 2) for name, each in taken.items()}


def main() -> None:
    folder, *images = map(Path, sys.argv[1:])
    threads = cores()
    parts = Parts(folder / ANY_DEVICE, folder / TAIL, threads)
    for number, file in enumerate(images):
        np.save(folder / f"ids_{number}.npy", parts.run(np.load(file)))
    whole = Session(folder / CPU_ONLY, threads=threads)
    engines: dict[str, Run] = {ONNXRUNTIME: whole.run, "openvino": parts.run}
    found = {"milliseconds": interleaved(engines, np.load(folder / "timed.npy")), "threads": threads}
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
