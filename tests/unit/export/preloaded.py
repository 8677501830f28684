"""Runs the export's child processes from one that has Paddle loaded already: a small export then takes half the time."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from semseg_export.paddle_process import ended as ended_alone

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["paddle", "paddle2onnx.convert", "onnxruntime"])


def ended(module: str, arguments: list[str]) -> tuple[int, bytes]:
    """In place of the function of that name. The memory is measured without Paddle in it."""
    if module.endswith(".memory_probe"):
        return ended_alone(module, arguments)
    with TemporaryDirectory() as folder:
        output = Path(folder, "output.txt")
        process = _CONTEXT.Process(target=_main, args=(module, arguments, output))
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode, output.read_bytes()


def _main(module: str, arguments: list[str], output: Path) -> None:
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
