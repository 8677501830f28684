"""A process that decodes images as preprocess does, within a memory limit. An image may kill it."""

from __future__ import annotations

import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**23)  # small: a model's own limit applies before any pixel is decoded
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
sys.path.insert(0, str(Path(__file__).parents[2] / "model_repository/preprocess/1"))
import cv2

preprocess = import_module("image")
LARGEST = 2**26  # bytes of a file


def main() -> None:
    """Reads the length and bytes of each image; answers with a line: CPU seconds, peak bytes of memory, outcome."""
    cv2.setNumThreads(1)
    limit = int(sys.argv[1]) + int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)  # discards what the libraries print about each image
    while length := sys.stdin.buffer.read(8):
        data = sys.stdin.buffer.read(int.from_bytes(length, "big"))
        begun = time.process_time()
        told = _outcome(data)
        peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
        answers.write(f"{time.process_time() - begun:.3f} {peak} {told}\n")


def _outcome(data: bytes) -> str:
    """`refused` because of the header, `failed` in the decoder, out of `memory`, or `decoded`."""
    try:
        header = preprocess.look(data)
    except preprocess.BadRequest:
        return "refused"
    try:
        preprocess.decode(data, header)
    except preprocess.BadRequest:
        return f"failed {header.kind}"
    except MemoryError:
        return f"memory {header.kind}"
    return f"decoded {header.kind}"


if __name__ == "__main__":
    main()
