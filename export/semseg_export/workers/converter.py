"""Child process: a Paddle program to ONNX, with batch, height and width dynamic.

    python -m semseg_export.workers.converter PROGRAM PARAMETERS WORKSPACE

writes WORKSPACE/network.onnx. Older programs (.pdmodel) become PIR programs first, so that there is one way from there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..conversion import pools

OPSET = 17


def convert(program: Path, parameters: Path, workspace: Path) -> None:
    from paddle2onnx import export

    if program.suffix == ".pdmodel":
        program, parameters = translate(program, workspace)
    content = json.loads(program.read_text())
    pools.mark(content)
    marked = workspace / "marked.json"
    marked.write_text(json.dumps(content))
    # Any other optimize_tool installs packages with pip while it converts.
    export(
        str(marked),
        str(parameters),
        str(workspace / "network.onnx"),
        opset_version=OPSET,
        optimize_tool="None",
    )


def translate(program: Path, workspace: Path) -> tuple[Path, Path]:
    """Write an older program and its parameters again as PIR, by the functions Paddle2ONNX has for it."""
    import paddle
    from paddle2onnx.convert import load_parameter, save_program

    executor = paddle.static.Executor(paddle.CPUPlace())
    with paddle.pir_utils.OldIrGuard():
        older: Any = paddle.static.load_inference_model(str(program.with_suffix("")), executor)[0]
    translated: Any = paddle.base.libpaddle.pir.translate_to_pir(older.desc)
    load_parameter(translated)
    save_program(translated, str(workspace / "translated"))
    return workspace / "translated.json", workspace / "translated.pdiparams"


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
