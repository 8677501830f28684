"""Computes Paddle's own output, the reference for an exported network.

    python -m semseg_export.workers.reference WEIGHTS_FOLDER IMAGE... --out FOLDER [--logits]

reads each image as PaddleX does, or RGB pixels from a .npy file (uint8 [H, W, 3] or [N, H, W, 3]), and writes the
class ids to FOLDER/<stem>.npy (uint8 [H, W] or [N, H, W]). With --logits it also writes the logits, if the network returns
them, to FOLDER/<stem>.logits.npy (float32 [N, C, H, W]).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt

from ..weights.archive import Archive, read_archive

Pixels = npt.NDArray[np.uint8]
Logits = npt.NDArray[np.float32]


def predictor(archive: Archive) -> Callable[[Pixels], tuple[Pixels, Logits | None]]:
    """A function that runs Paddle Inference: RGB pixels uint8 [N, H, W, 3] to class ids uint8 [N, H, W] and, if the program
    returns them, logits float32 [N, C, H, W].

    It runs without oneDNN, which rounds differently. If the program returns only logits, the function takes their argmax.
    """
    from paddle import inference

    config = inference.Config(str(archive.program), str(archive.parameters))
    config.disable_gpu()
    config.disable_mkldnn()
    config.disable_glog_info()
    if archive.program.suffix == ".pdmodel":
        config.enable_memory_optim()  # 2.7 GB instead of 21 for OCRNet at 2048x1024; PIR programs free memory by themselves
        config.delete_pass("squared_mat_sub_fuse_pass")  # Paddle 3.2 crashes in it (SIGSEGV) on SegFormer's older programs
    config.set_cpu_math_library_num_threads(os.cpu_count() or 1)
    runner = inference.create_predictor(config)
    entry = runner.get_input_handle(runner.get_input_names()[0])
    results = [runner.get_output_handle(name) for name in runner.get_output_names()]

    def predict(pixels: Pixels) -> tuple[Pixels, Logits | None]:
        prepared = archive.normalisation.apply(pixels)
        entry.reshape(prepared.shape)
        entry.copy_from_cpu(prepared)
        runner.run()
        answers = [result.copy_to_cpu() for result in results]
        logits = next((answer for answer in answers if answer.dtype.kind == "f"), None)
        ids = next((answer for answer in answers if answer.dtype.kind != "f"), None)
        if ids is None:
            ids = np.argmax(answers[0], axis=1)
        return np.asarray(ids.reshape(pixels.shape[:3]), np.uint8), logits

    return predict


def with_logits(archive: Archive, folder: Path) -> Archive:
    """Save the network in `folder` with its argmax's input as a second output. Unless it has exactly one, return `archive`."""
    import paddle

    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    older = archive.program.suffix == ".pdmodel"
    with paddle.pir_utils.OldIrGuard() if older else paddle.pir_utils.IrGuard():
        program, names, ids = paddle.static.load_inference_model(str(archive.program.with_suffix("")), executor)
        block = program.global_block()
        if older:
            deciding = [operation.input("X")[0] for operation in block.ops if operation.type == "arg_max"]
            entries, logits = [block.var(name) for name in names], [block.var(name) for name in deciding]
        else:
            entries = [operation.result(0) for operation in block.ops if operation.name() == "pd_op.data"]
            logits = [operation.operand_source(0) for operation in block.ops if operation.name() == "pd_op.argmax"]
        if len(logits) != 1 or len(entries) != 1:
            return archive
        paddle.static.save_inference_model(str(folder / "inference"), entries, [*ids, *logits], executor, program=program)
    return replace(archive, program=folder / archive.program.name, parameters=folder / archive.parameters.name)


def read_pixels(file: Path) -> Pixels:
    """RGB pixels uint8 [H, W, 3] of an image file, or the array in a .npy file."""
    if file.suffix == ".npy":
        return np.asarray(np.load(file), np.uint8)
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{file} is not an image that OpenCV can read")
    return np.asarray(image[..., ::-1], np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute the class ids of images with Paddle.")
    parser.add_argument("weights", type=Path, help="folder with inference.json or inference.pdmodel")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--logits", action="store_true", help="write the logits too")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    archive = read_archive(given.weights)
    # Inside the caller's folder, so that the files are removed even if this process is killed.
    with TemporaryDirectory(dir=given.out) as folder:
        predict = predictor(with_logits(archive, Path(folder)) if given.logits else archive)
        for file in given.images:
            pixels = read_pixels(file)
            ids, logits = predict(pixels.reshape(-1, *pixels.shape[-3:]))
            np.save(given.out / f"{file.stem}.npy", ids.reshape(pixels.shape[:-1]))
            if given.logits and logits is not None:
                np.save(given.out / f"{file.stem}.logits.npy", logits)


if __name__ == "__main__":
    main()
