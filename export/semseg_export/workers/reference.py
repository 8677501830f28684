"""Computes a network's own output, the reference for its export: with Paddle, or for an ONNX file with ONNX Runtime.

    python -m semseg_export.workers.reference WEIGHTS IMAGE... --out FOLDER [--logits N] [--threshold T]

WEIGHTS is a network's folder or its program. It reads each image as PaddleX does, or prepared RGB pixels from a .npy file (uint8
or float32 [H, W, 3] or [N, H, W, 3]), and writes the class ids to FOLDER/<stem>.npy (uint8 [H, W] or [N, H, W]). Of the first
--logits images it also writes the logits, if it finds them, to FOLDER/<stem>.logits.npy (float32 [N, C, H, W]). Scores of a
single channel above T are class 1; their logits get a first channel that holds T.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from semseg_contract.paddle_files import ONNX

from ..errors import GraphError
from ..weights.archive import Archive, parameters_of, read_archive

Pixels = npt.NDArray[Any]
Ids = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]
Run = Callable[[npt.NDArray[np.float32]], list[npt.NDArray[Any]]]
Predict = Callable[[Pixels], tuple[Ids, Logits | None]]


def predictor(archive: Archive, folder: Path, threshold: float | None = None, *, with_logits: bool = False) -> Predict:
    """A function from RGB pixels [N, H, W, 3] to class ids uint8 [N, H, W] and logits float32 [N, C, H, W] or None.

    It takes the output that is served (see scores.py). If that has scores, the function decides by them. Logits that are no
    output are one of a copy of the program in `folder`.
    """
    program = archive.program
    run = _onnx(program, logits=with_logits) if program.suffix == ONNX else _paddle(_cut(program, folder, logits=with_logits))

    def predict(pixels: Pixels) -> tuple[Ids, Logits | None]:
        output, *others = run(archive.normalisation.apply(pixels))
        logits = next((each for each in (*others, output) if each.dtype.kind == "f"), None)
        batch, height, width, _ = pixels.shape
        if logits is not None and threshold is not None:
            channel = logits.reshape(batch, 1, height, width)
            logits = np.concatenate([np.full_like(channel, threshold), channel], axis=1)
        ids = np.argmax(logits, axis=1) if logits is not None and output.dtype.kind == "f" else output
        if ids.size != batch * height * width:
            raise ValueError(f"it gives {list(output.shape)}, not an id for each pixel")
        return np.asarray(ids.reshape(batch, height, width), np.uint8), logits

    return predict


def _paddle(program: Path) -> Run:
    """Paddle Inference, without oneDNN, which rounds differently."""
    from paddle import inference

    config = inference.Config(str(program), str(parameters_of(program)))
    config.disable_gpu()
    config.disable_mkldnn()
    config.disable_glog_info()
    if program.suffix == ".pdmodel":
        config.enable_memory_optim()  # 2.7 GB instead of 21 for OCRNet at 2048x1024; PIR programs free memory by themselves
        config.delete_pass("squared_mat_sub_fuse_pass")  # Paddle 3.2 crashes in it (SIGSEGV) on SegFormer's older programs
    config.set_cpu_math_library_num_threads(os.cpu_count() or 1)
    runner = inference.create_predictor(config)
    entry = runner.get_input_handle(runner.get_input_names()[0])
    results = [runner.get_output_handle(name) for name in runner.get_output_names()]

    def run(prepared: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
        entry.reshape(prepared.shape)
        entry.copy_from_cpu(prepared)
        runner.run()
        return [result.copy_to_cpu() for result in results]

    return run


def _onnx(program: Path, *, logits: bool) -> Run:
    """ONNX Runtime on the file as it is, without optimisations: the output that is served and, if asked for, the logits."""
    import onnx
    from onnx import TensorProto, helper

    from ..conversion import scores
    from ..runtime import Session

    network = onnx.load(program)
    taken, decided = scores.output(network)[0].name, scores.deciding(network)
    wanted = [taken, decided] if logits and decided != taken else [taken]
    names = {output.name for output in network.graph.output}
    network.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted if name not in names
    )
    session = Session(network, optimised=False)
    return lambda prepared: session.session.run(wanted, {session.entry: prepared})


def _cut(program: Path, folder: Path, *, logits: bool) -> Path:
    """A program of the output that is served and, if asked for, of the logits: `program` itself or one saved in `folder`."""
    import paddle

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    older = program.suffix == ".pdmodel"
    with paddle.pir_utils.OldIrGuard() if older else paddle.pir_utils.IrGuard():
        loaded, names, outputs = paddle.static.load_inference_model(str(program.with_suffix("")), executor)
        block = loaded.global_block()
        if older:
            entries = [block.var(name) for name in names]
            made_by = {name: operation for operation in block.ops for name in operation.output_arg_names}
            chains = [list(_chain(output, lambda value: _older_step(block, made_by, value))) for output in outputs]
        else:
            entries = [operation.result(0) for operation in block.ops if operation.name() == "pd_op.data"]
            chains = [list(_chain(output, _pir_step)) for output in outputs]
        taken = [index for index, chain in enumerate(chains) if _has_ids(outputs[index], chain)]
        index = taken[0] if len(taken) == 1 else 0
        decided = _decided(chains[index])
        wanted = [outputs[index], decided] if logits and decided is not None else [outputs[index]]
        if len(wanted) == len(outputs) == 1 or len(entries) != 1:
            return program
        paddle.static.save_inference_model(str(folder / "inference"), entries, wanted, executor, program=loaded)
    return folder / f"inference{program.suffix}"


UNIT_SCALE, TO_LAST = "scale by 1", "transpose to NHWC"  # steps that change no number
PASSING = ("cast", "squeeze", "squeeze2", UNIT_SCALE)
TURNING = ("transpose", "transpose2", TO_LAST)
COMPARING = ("greater_than", "greater_equal", "less_than", "less_equal")
DECIDING = ("argmax", "arg_max", "softmax", *COMPARING)
Step = tuple[str, Any]  # an operation and the tensor that it reads


def _has_ids(output: Any, chain: list[Step]) -> bool:
    first = next((name for name, _ in chain if name not in PASSING), "")
    return "float" not in str(output.dtype).lower() and first in ("argmax", "arg_max")


def _decided(chain: list[Step]) -> Any:
    """The logits: what the first of the decisions reads, in NCHW; None if there is no decision."""
    names = [name for name, _ in chain]
    last = max((index for index, name in enumerate(names) if name in DECIDING), default=None)
    if last is None or names[0] in TURNING:
        return None
    return chain[last + 1 if names[last + 1 : last + 2] == [TO_LAST] else last][1]


def _chain(value: Any, step: Callable[[Any], Step]) -> Iterator[Step]:
    """The operations that lead to `value` and may stand behind the logits, the last first."""
    name, before = step(value)
    while name in (*PASSING, *TURNING, *DECIDING):
        if name == "cast" and "bool" in str(value.dtype).lower():  # it merges classes
            return
        yield name, before
        if name in COMPARING:
            return
        value = before
        name, before = step(value)


def _pir_step(value: Any) -> Step:
    """The operation that computes a value, and its first operand; of a comparison, the one that is not constant."""
    operation = value.get_defining_op()
    if operation is None or not operation.num_operands():
        return "", None
    name, operand = operation.name().removeprefix("pd_op."), operation.operand_source(0)
    if name in COMPARING and not operand.get_defining_op().num_operands():
        operand = operation.operand_source(1)
    if name == "scale":
        factor = operation.operand_source(1).get_defining_op().attrs().get("value")
        name = UNIT_SCALE if (factor, operation.attrs().get("bias")) == (1, 0) else name
    if name == "transpose" and operation.attrs().get("perm") == [0, 2, 3, 1]:
        name = TO_LAST
    return name, operand


def _older_step(block: Any, made_by: dict[str, Any], value: Any) -> Step:
    operation = made_by.get(value.name)
    if operation is None or not operation.input("X"):
        return "", None
    [operand, *_] = operation.input("X")
    if operation.type in COMPARING and (operand not in made_by or not made_by[operand].input_arg_names):
        [operand, *_] = operation.input("Y")
    name = operation.type
    if name == "scale" and (operation.attr("scale"), operation.attr("bias")) == (1, 0):
        name = UNIT_SCALE
    if name == "transpose2" and operation.attr("axis") == [0, 2, 3, 1]:
        name = TO_LAST
    return name, block.var(operand)


def read_pixels(file: Path) -> Pixels:
    """RGB pixels uint8 [H, W, 3] of an image file, or the array in a .npy file."""
    if file.suffix == ".npy":
        return np.asarray(np.load(file))
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{file} is not an image that OpenCV can read")
    return np.asarray(image[..., ::-1], np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute the class ids of images with Paddle.")
    parser.add_argument("weights", type=Path, help="a network's folder, or the program in it")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--logits", type=int, default=0, metavar="N", help="write the logits of the first N images, too")
    parser.add_argument("--threshold", type=float, help="for a network of one channel")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    archive = read_archive(given.weights) if given.weights.is_dir() else read_archive(given.weights.parent, given.weights)
    # Inside the caller's folder, so that the files are removed even if this process is killed.
    with TemporaryDirectory(dir=given.out) as folder:
        predict = predictor(archive, Path(folder), given.threshold, with_logits=given.logits > 0)
        for number, file in enumerate(given.images):
            pixels = read_pixels(file)
            try:
                ids, logits = predict(pixels.reshape(-1, *pixels.shape[-3:]))
            except (GraphError, RuntimeError, ValueError) as error:  # Paddle's errors are among them
                height, width = pixels.shape[-3:-1]
                raise SystemExit(f"at {width}x{height} pixels: {_line(error)}") from error
            np.save(given.out / f"{file.stem}.npy", ids.reshape(pixels.shape[:-1]))
            if number < given.logits and logits is not None:
                np.save(given.out / f"{file.stem}.logits.npy", logits)


def _line(error: Exception) -> str:
    """The line of an error that says most: Paddle's begin with a stack trace and end with the operator's name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "Error:" in line), lines[-1] if lines else type(error).__name__)


if __name__ == "__main__":
    main()
