"""Chapters 2 and 4 of PaddleX's tutorial, word for word except for the names of the package, the command and the weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import yaml
from PIL import Image

from demo.run import SERVING
from tests.support import STREET, Service, bare_repository

IMAGE = "makassaridn-road_demo.png"

# 2.2.1
PREDICT = "semseg --pipeline semantic_segmentation --input makassaridn-road_demo.png --device gpu:0"
CONFIGURE = "semseg --get_pipeline_config semantic_segmentation"
CONFIGURE_THERE = "semseg --get_pipeline_config semantic_segmentation --save_path ./my_path"
PREDICT_BY_FILE = "semseg --pipeline ./semantic_segmentation.yaml --input makassaridn-road_demo.png --device gpu:0"

# 2.2.2
BY_NAME = """
from semseg_client import create_pipeline

pipeline = create_pipeline(pipeline="semantic_segmentation")

output = pipeline.predict("makassaridn-road_demo.png")
for res in output:
    res.print() ## 打印预测的结构化输出
    res.save_to_img("./output/") ## 保存结果可视化图像
    res.save_to_json("./output/") ## 保存预测的结构化输出
"""
BY_FILE = """
from semseg_client import create_pipeline
pipeline = create_pipeline(pipeline="./my_path/semantic_segmentation.yaml")
output = pipeline.predict("makassaridn-road_demo.png")
for res in output:
    res.print() ## 打印预测的结构化输出
    res.save_to_img("./output/") ## 保存结果可视化图像
    res.save_to_json("./output/") ## 保存预测的结构化输出
"""

# 4.2 and the following chapter
FINE_TUNED = """
Global:
  pipeline_name: semantic_segmentation
Pipeline:
  model: {weights}  #可修改为微调后模型的本地路径
  device: "{device}"
  batch_size: 1
"""
ON_ASCEND = "semseg --pipeline semantic_segmentation --input makassaridn-road_demo.png --device npu:0"


@pytest.fixture
def folder(full_repository: Path, tmp_path: Path) -> Path:
    """The working directory for the tutorial, with the image and the models."""
    cv2.imwrite(str(tmp_path / IMAGE), cv2.resize(cv2.imread(str(STREET)), (512, 256)))
    (tmp_path / "model_repository").symlink_to(full_repository)
    return tmp_path


def run(folder: Path, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {name: value for name, value in os.environ.items() if not name.startswith("SEMSEG_")} | environment
    settings["PATH"] = f"{SERVING}{os.pathsep}{settings['PATH']}"
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, timeout=300, check=False)


def shell(folder: Path, command: str, **environment: str) -> str:
    """The output of the command, which must succeed."""
    done = run(folder, command.split(), **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(folder: Path, code: str, **environment: str) -> str:
    """The output of a script, which must succeed and tell no more than that it exports."""
    done = run(folder, [sys.executable, "-c", code], **environment)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("Exporting ")] == []
    return done.stdout


PRINTED = f"{{'res': {{'input_path': '{IMAGE}', 'page_index': None, 'pred': '...'}}}}\n"


def assert_documented_files(folder: Path) -> None:
    """The image's picture and JSON file, and nothing else."""
    stem = Path(IMAGE).stem
    assert {file.name for file in folder.glob("[!.]*")} == {f"{stem}_res.png", f"{stem}_res.json"}
    pred = json.loads((folder / f"{stem}_res.json").read_text())["pred"]
    assert np.shape(pred) == (1, 256, 512)
    with Image.open(folder / f"{stem}_res.png") as picture:
        assert (picture.size, picture.mode) == ((512, 256), "RGB")
        colours = np.asarray(picture)
    # Each class has one colour, and each colour one class.
    pairs = {(label, *colour) for label, colour in zip(np.ravel(pred), colours.reshape(-1, 3).tolist(), strict=True)}
    assert len(pairs) == len({pair[0] for pair in pairs}) == len({pair[1:] for pair in pairs})


def test_the_commands_in_front_of_a_server_that_runs(full_service: Service, folder: Path) -> None:
    """`--device` applies only to a server that the command starts; a running one already has its devices."""
    assert shell(folder, PREDICT, SEMSEG_URL=full_service.grpc) == PRINTED
    assert {each.name for each in folder.iterdir()} == {
        IMAGE,
        "model_repository",
    }  # nothing is saved without --save_path
    shell(folder, CONFIGURE)
    assert shell(folder, PREDICT_BY_FILE, SEMSEG_URL=full_service.grpc) == PRINTED
    assert shell(folder, f"{PREDICT} --save_path ./output", SEMSEG_URL=full_service.grpc) == PRINTED
    assert_documented_files(folder / "output")


def test_a_configuration_is_written_here_or_where_it_is_asked_for(folder: Path) -> None:
    shell(folder, CONFIGURE)
    shell(folder, CONFIGURE_THERE)
    here, there = (folder / each / "semantic_segmentation.yaml" for each in (".", "my_path"))
    assert here.read_text() == there.read_text()
    assert yaml.safe_load(here.read_text())["pipeline_name"] == "semantic_segmentation"


def test_the_scripts_and_the_command_with_a_server_of_their_own(folder: Path) -> None:
    assert python(folder, BY_NAME) == PRINTED
    assert_documented_files(folder / "output")
    by_name = {file.name: file.read_bytes() for file in (folder / "output").iterdir()}
    shutil.rmtree(folder / "output")
    shell(folder, CONFIGURE_THERE)
    assert python(folder, BY_FILE) == PRINTED
    assert {file.name: file.read_bytes() for file in (folder / "output").iterdir()} == by_name
    assert shell(folder, PREDICT.replace("gpu:0", "cpu")) == PRINTED


@pytest.mark.skipif("CUDAExecutionProvider" not in onnxruntime.get_available_providers(), reason="needs a GPU")
def test_the_command_on_a_gpu(folder: Path) -> None:
    assert shell(folder, PREDICT) == PRINTED


@pytest.mark.parametrize(
    ("command", "provider"), [(PREDICT, "CUDAExecutionProvider"), (ON_ASCEND, "CANNExecutionProvider")], ids=["gpu", "npu"]
)
def test_hardware_that_is_not_here_is_refused_by_name(folder: Path, command: str, provider: str) -> None:
    """PaddleX would silently use the CPU."""
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"{provider} is here")
    done = run(folder, command.split())
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"needs {provider}" in line
    assert "usable devices: cpu" in line


def test_fine_tuned_weights_are_put_into_the_configuration(folder: Path, weights: dict[str, Path]) -> None:
    (folder / "model_repository").unlink()
    bare_repository(folder / "model_repository")
    (folder / "my_path").mkdir()
    file = folder / "my_path" / "semantic_segmentation.yaml"
    file.write_text(FINE_TUNED.format(weights=weights["PP-LiteSeg-T-legacy"], device="cpu"))
    assert python(folder, BY_FILE) == PRINTED
    assert_documented_files(folder / "output")


def test_two_users_of_one_machine_do_so_at_once(folder: Path) -> None:
    others = folder / "other"
    others.mkdir()
    shutil.copy(folder / IMAGE, others)
    (others / "model_repository").symlink_to(folder / "model_repository")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda each: python(each, BY_NAME), (folder, others))) == [PRINTED, PRINTED]
    for each in (folder, others):
        assert_documented_files(each / "output")
