"""Converts a Paddle program to ONNX: what the program leaves open of batch, height and width stays open.

    python -m semseg_export.workers.converter PROGRAM PARAMETERS WORKSPACE

writes WORKSPACE/network.onnx. An older program (.pdmodel) is first translated to PIR, so that both kinds are converted alike.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..conversion import pools
from ..conversion.convert import OPSET


def convert(program: Path, parameters: Path, workspace: Path) -> None:
    from paddle2onnx import export

    if program.suffix == ".pdmodel":
        program, parameters = translate(program, workspace)
    try:
        content = json.loads(program.read_text())
        pools.mark(content)
    except (KeyError, TypeError, ValueError) as error:
        raise SystemExit(f"{program.name} is no complete program of Paddle's: export the network again") from error
    marked = workspace / "marked.json"
    marked.write_text(json.dumps(content))
    # Any other optimize_tool would install packages with pip.
    export(
        str(marked),
        str(parameters),
        str(workspace / "network.onnx"),
        opset_version=OPSET,
        optimize_tool="None",
    )


def translate(program: Path, workspace: Path) -> tuple[Path, Path]:
    """Write an older program and its parameters as PIR, with Paddle2ONNX's own functions."""
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
