"""Child process: the bare network on ONNX Runtime under the closed loop. Runs in the serving environment.

    python -m bench.rivals.floor_loop MODEL.onnx SESSIONS THREADS

It answers an empty line on standard input with "ready". Any other line is JSON with the keys files, clients, seconds, answers and
out: it runs that load, writes the class ids of file k to out/k.npy, and answers with the window as a line of JSON. It decodes
the images before the clock starts.
"""

from __future__ import annotations

import json
import queue
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from bench.load import Plan, closed_loop

Feeds = Mapping[str, npt.NDArray[Any]]


def session(network: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])


@cache
def feeds(file: str, names: tuple[str, ...]) -> Feeds:
    pixels = cv2.cvtColor(cv2.imread(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return {name: pixels[None] if name == "pixels" else np.zeros((1, 1), np.int8) for name in names}


def main() -> None:
    network, sessions, threads = sys.argv[1:]
    made = [session(network, int(threads)) for _ in range(int(sessions))]
    names = tuple(node.name for node in made[0].get_inputs())
    free = queue.SimpleQueue[ort.InferenceSession]()
    for each in made:
        free.put(each)
    # A pool serves calls in order of arrival; a lock would often go back to the thread that has just released it.
    pool = ThreadPoolExecutor(len(made))

    def run(body: Feeds) -> Any:
        chosen = free.get()
        ids = chosen.run(None, body)[0]
        free.put(chosen)
        return ids

    def call(body: Feeds) -> Any:
        return pool.submit(run, body).result()

    for line in sys.stdin:
        if not line.strip():
            print("ready", flush=True)
            continue
        asked = json.loads(line)
        bodies = [feeds(file, names) for file in asked["files"]]
        window, answers = closed_loop([call] * asked["clients"], bodies, Plan(asked["seconds"], asked["answers"]))
        for index, ids in answers.items():
            np.save(Path(asked["out"], f"{index}.npy"), ids[0])
        print(json.dumps(asdict(window)), flush=True)


if __name__ == "__main__":
    main()
