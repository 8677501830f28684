"""`semseg eval` on the demo's held-out scenes: its figures are those of PaddleSeg and of cityscapesscripts."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from demo.scenes import scene
from semseg_client import Client
from semseg_client.evaluation.datasets import data_set
from tests.support import DEMO, Service, in_export_environment, semseg

SCENES = 6
IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)  # Cityscapes' own, by the demo's class ids

# PaddleSeg's own functions, on .npy files [N, H, W]: predictions, ground truth.
PADDLESEG = """
import json, sys
import numpy as np, paddle
from paddleseg.utils import metrics
paddle.concat = paddle.stack  # PaddleSeg 2.8 was written when a sum was a tensor of one element
found, truth = (paddle.to_tensor(np.load(file).astype(np.int64)) for file in sys.argv[1:3])
areas = metrics.calculate_area(found, truth, int(sys.argv[3]))
print(json.dumps({
    "miou": float(metrics.mean_iou(*areas)[1]), "accuracy": float(metrics.accuracy(*areas[:2])[1]),
    "kappa": float(metrics.kappa(*areas)), "dice": float(metrics.dice(*areas)[1]),
}))
"""


def truth(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With a border that does not count."""
    labels = labels.copy()
    labels[:8] = 255
    return labels


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In PaddleSeg's layout."""
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(SCENES):
        image, labels = scene(3_000_400 + number, 256, 128)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        cv2.imwrite(str(folder / f"{number}_truth.png"), truth(labels))
    (folder / "val.txt").write_text("".join(f"{number}.png {number}_truth.png\n" for number in range(SCENES)))
    return folder


def evaluated(
    folder: Path, data: Path, service: Service, *options: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = semseg(folder, "eval", data, "--model", DEMO, "--url", service.grpc, *options)
    report = folder / "evaluation" / "evaluation.json"
    return done, json.loads(report.read_text()) if report.exists() else {}


def test_the_figures_are_paddlesegs(scenes: Path, service: Service, tmp_path: Path) -> None:
    done, found = evaluated(tmp_path, scenes, service)
    assert done.returncode == 0, done.stderr
    assert f"mIoU {found['miou']:.4f} over" in done.stdout
    with Client(service.grpc) as client:
        answers = np.stack([client.segment(scenes / f"{number}.png", DEMO).label_map for number in range(SCENES)])
        classes = len(client.model(DEMO).class_names)
    samples = data_set(scenes)
    np.save(tmp_path / "found.npy", answers)
    np.save(tmp_path / "truth.npy", np.stack([samples.truth(each) for each in samples.samples]))
    told = in_export_environment("-c", PADDLESEG, tmp_path / "found.npy", tmp_path / "truth.npy", str(classes))
    theirs = json.loads(told.splitlines()[-1])
    assert found["miou_with_absent"] == pytest.approx(theirs["miou"], abs=1e-6)
    assert found["dice_with_absent"] == pytest.approx(theirs["dice"], abs=1e-6)
    assert found["accuracy"] == pytest.approx(theirs["accuracy"], abs=1e-6)
    assert found["kappa"] == pytest.approx(theirs["kappa"], abs=1e-6)
    assert found["pixels"] == SCENES * 256 * 120
    rows = list(csv.DictReader((tmp_path / "evaluation" / "classes.csv").open()))
    assert [row["class"] for row in rows] == [each["class"] for each in found["classes"]]
    assert Image.open(tmp_path / "evaluation" / "confusion.png").format == "PNG"
    assert Image.open(tmp_path / "evaluation" / "worst.jpg").size[0] > 1400


def test_the_figures_are_those_of_cityscapesscripts(scenes: Path, service: Service, tmp_path: Path) -> None:
    evaluation = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    own = np.array([*IDS, *[0] * (256 - len(IDS))], np.uint8)
    layout = tmp_path / "cityscapes"
    answers, labels = [], []
    with Client(service.grpc) as client:
        for number in range(SCENES):
            image = layout / "leftImg8bit/val/here" / f"here_{number}_leftImg8bit.png"
            label = layout / "gtFine/val/here" / f"here_{number}_gtFine_labelIds.png"
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(scenes / f"{number}.png", image)
            cv2.imwrite(str(label), own[cv2.imread(str(scenes / f"{number}_truth.png"), cv2.IMREAD_UNCHANGED)])
            answer = tmp_path / f"{number}.png"
            cv2.imwrite(str(answer), own[client.segment(image, DEMO).label_map])
            answers.append(str(answer))
            labels.append(str(label))
    evaluation.args.evalInstLevelScore, evaluation.args.evalPixelAccuracy, evaluation.args.quiet = False, False, True
    theirs = evaluation.evaluateImgLists(answers, labels, evaluation.args)
    done, found = evaluated(tmp_path, layout, service)
    assert done.returncode == 0, done.stderr
    assert found["layout"] == "Cityscapes"
    assert found["miou"] == pytest.approx(theirs["averageScoreClasses"], abs=1e-6)


def test_a_killed_run_goes_on_where_it_stopped_and_gives_the_same(scenes: Path, service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    _, whole = evaluated(tmp_path, scenes, service)
    journal = folder / "evaluation" / ".semseg" / "compared.jsonl"
    program = Path(sys.executable).with_name("semseg")
    command: list[str | Path] = [program, "eval", scenes, "--model", DEMO, "--url", service.grpc, "--jobs", "1"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2) and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    lines = journal.read_bytes().splitlines()
    assert 2 <= len(lines) <= SCENES
    journal.write_bytes(b"\n".join(lines[:2]) + b"\n" + lines[1][:40])  # torn, as by a crash
    done, resumed = evaluated(folder, scenes, service, "--resume")
    assert done.returncode == 0, done.stderr
    assert resumed == whole
    assert len(journal.read_bytes().splitlines()) == 2 + 1 + SCENES - 2


def test_what_is_wrong_with_an_image_is_named_and_the_others_count(scenes: Path, service: Service, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(scenes, data)
    (data / "1_truth.png").unlink()
    cv2.imwrite(str(data / "2_truth.png"), np.zeros((5, 7), np.uint8))
    cv2.imwrite(str(data / "3_truth.png"), np.full((128, 256), 40, np.uint8))
    (data / "4.png").unlink()
    done, found = evaluated(tmp_path, data, service)
    assert done.returncode == 1
    assert found["images"] == SCENES - 4
    for told in (
        "4 of 6 images failed, and do not count:",
        "1_truth.png: there is no such file",
        "2_truth.png: is 7x5, but ",
        "3_truth.png: class id 40, but the model's go from 0 to 18",
        "4.png: No such file or directory",
    ):
        assert told in done.stderr


def test_ci_can_ask_for_a_miou(scenes: Path, service: Service, tmp_path: Path) -> None:
    done, found = evaluated(tmp_path, scenes, service, "--at-least", "0.99999")
    assert done.returncode == 1
    assert f"the mIoU of {found['miou']:.4f} is below the 0.99999 asked for" in done.stderr
    done, _ = evaluated(tmp_path, scenes, service, "--at-least", "0.1", "--resume")
    assert done.returncode == 0, done.stderr


def test_what_is_no_data_set_is_refused_in_a_line(service: Service, tmp_path: Path) -> None:
    done, _ = evaluated(tmp_path, tmp_path, service)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "has no data set that this command knows" in done.stderr
