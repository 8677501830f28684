"""Paddle's own answer, the oracle that an exported network is measured against.

    python -m semseg_export.reference WEIGHTS_FOLDER IMAGE... --out FOLDER

reads each image as PaddleX does, or takes RGB pixels from a .npy file (uint8 [H, W, 3] or [N, H, W, 3]), and writes the
class ids to FOLDER/<stem>.npy (uint8 [H, W] or [N, H, W]).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .archive import Archive, read_archive

Pixels = npt.NDArray[np.uint8]


def predictor(archive: Archive) -> Callable[[Pixels], Pixels]:
    """A function from RGB pixels uint8 [N, H, W, 3] to class ids uint8 [N, H, W], computed by Paddle Inference.

    Without oneDNN, which rounds otherwise. A network that gives logits [N, C, H, W] gets the argmax here.
    """
    from paddle import inference

    config = inference.Config(str(archive.program), str(archive.parameters))
    config.disable_gpu()
    config.disable_mkldnn()
    config.disable_glog_info()
    if archive.program.suffix == ".pdmodel":
        config.enable_memory_optim()  # 2.7 GB instead of 21 for OCRNet at 2048x1024; programs of PIR free memory by themselves
        config.delete_pass("squared_mat_sub_fuse_pass")  # Paddle 3.2 dies in it (SIGSEGV) on SegFormer's older programs
    config.set_cpu_math_library_num_threads(os.cpu_count() or 1)
    runner = inference.create_predictor(config)
    entry = runner.get_input_handle(runner.get_input_names()[0])
    result = runner.get_output_handle(runner.get_output_names()[0])

    def predict(pixels: Pixels) -> Pixels:
        prepared = archive.normalisation.apply(pixels)
        entry.reshape(prepared.shape)
        entry.copy_from_cpu(prepared)
        runner.run()
        answer = result.copy_to_cpu()
        ids = answer.argmax(axis=1) if answer.dtype.kind == "f" else answer
        return np.asarray(ids.reshape(pixels.shape[:3]), np.uint8)

    return predict


def read_pixels(file: Path) -> Pixels:
    """RGB pixels uint8 [H, W, 3] of an image file, or what a .npy file holds."""
    if file.suffix == ".npy":
        return np.asarray(np.load(file), np.uint8)
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{file} is not an image that OpenCV reads")
    return np.asarray(image[..., ::-1], np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Class ids of images, computed by Paddle.")
    parser.add_argument("weights", type=Path, help="folder with inference.json or inference.pdmodel")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    predict = predictor(read_archive(given.weights))
    for file in given.images:
        pixels = read_pixels(file)
        ids = predict(pixels.reshape(-1, *pixels.shape[-3:])).reshape(pixels.shape[:-1])
        np.save(given.out / f"{file.stem}.npy", ids)


if __name__ == "__main__":
    main()
