"""Runs a network on another engine, as the backend `engines` does, and measures it against ONNX Runtime.

    python -m semseg_export.workers.engine_trial FOLDER ENGINE AHEAD IMAGES.npy ...

FOLDER has model.onnx, model_cpu.onnx, tail.onnx and timed.npy, the image to measure with. Writes found.json: the median seconds
of both engines, the threads they had, and whether the engine took at most AHEAD of ONNX Runtime's time. If so, it also writes the
ids of each of IMAGES as ids_<number>.npy. For MNN, it writes core.mnn, too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from semseg_contract.cores import cores
from semseg_contract.engine import CORE, FILES
from semseg_contract.names import ANY_DEVICE, CPU_ONLY, TAIL

from ..conversion.mnn import write_core
from ..parts import Parts
from ..runtime import Session

SECONDS = 1.0  # to measure each engine for, at least
ROUNDS = 3  # at least

Run = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]


def interleaved(engines: Sequence[Run], pixels: npt.NDArray[Any]) -> list[float]:
    """The median seconds of each, in turns, so that all see the same machine."""
    taken: list[list[float]] = [[] for _ in engines]
    for run in engines:
        run(pixels)
    while any(len(each) < ROUNDS or sum(each) < SECONDS for each in taken):
        for run, times in zip(engines, taken, strict=True):
            since = time.perf_counter()
            run(pixels)
            times.append(time.perf_counter() - since)
    return [statistics.median(each) for each in taken]


def main() -> None:
    folder, engine, ahead, *images = sys.argv[1:]
    place, threads = Path(folder), cores()
    if not (place / FILES[engine]).exists():
        tail = onnx.load(place / TAIL)
        end = next(each.value for each in tail.metadata_props if each.key == CORE)
        write_core(onnx.load(place / ANY_DEVICE), end, place / FILES[engine])
    parts, whole = Parts(place, engine, threads), Session(place / CPU_ONLY, threads=threads)
    seconds, of_onnxruntime = interleaved([parts.run, whole.run], np.load(place / "timed.npy"))
    compared = seconds <= float(ahead) * of_onnxruntime
    if compared:
        for number, file in enumerate(images):
            np.save(place / f"ids_{number}.npy", parts.run(np.load(file)))
    found = {"seconds": seconds, "of_onnxruntime": of_onnxruntime, "threads": threads, "compared": compared}
    (place / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
