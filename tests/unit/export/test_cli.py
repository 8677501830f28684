from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract.official import OFFICIAL
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights import zoo
from tests.support import DEMO_WEIGHTS, EXPORT, ROOT
from tests.unit.export.archive_server import ArchiveServer

COMMAND = Path(sys.executable).with_name("semseg-export")


QUICK = (sys.executable, "-c", EXPORT)  # the same, but it compares small images


def export(*arguments: object, command: tuple[object, ...] = (COMMAND,), **changes: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "200", "SEMSEG_CACHE": "/dev/null/cache"} | changes
    return subprocess.run([*map(str, (*command, *arguments))], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("file_format", ["pir", "legacy"])
def test_a_network_of_either_format_is_installed(file_format: str, networks: Path, tmp_path: Path) -> None:
    command = (COMMAND,) if file_format == "pir" else QUICK
    models = tmp_path / "my models"
    done = export("PP-LiteSeg-T", "--weights", networks / file_format, "--repository", models, command=command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    steps = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert steps[:6] == ["Weights", "Conversion", "Graph", "Memory", "Comparison", "Engine"]
    assert steps[6:] in (["Installation"], ["Memory", "Installation"])  # measured again if OpenVINO is faster here
    assert f"Next: semseg serve --model-repository '{models}' --model PP-LiteSeg-T" in done.stdout.replace("\n", " ")
    ensemble = triton.ModelConfig()
    text_format.Parse((models / "PP-LiteSeg-T" / "config.pbtxt").read_text(), ensemble)
    assert float(ensemble.parameters["agreement"].string_value) >= 0.9999
    assert '"traffic light"' in ensemble.parameters["class_names"].string_value
    session = onnxruntime.InferenceSession(models / "PP-LiteSeg-T_network" / "1" / "model_cpu.onnx")
    inputs = {"pixels": smooth_pixels(0, (2, 65, 97)), "lane": np.zeros((2, 1), np.int8)}
    assert session.run(["ids"], inputs)[0].shape == (2, 65, 97)
    comparison = json.loads(ensemble.parameters["comparison"].string_value)
    if file_format == "pir":
        assert {(each["batch"], each["height"], each["width"]) for each in comparison} >= {(2, 256, 512), (1, 1024, 2048)}
    assert all(0 < each["logits"] < 1e-3 * each["spread"] and each["margin"] <= 2 * each["logits"] for each in comparison)


def test_all_goes_on_after_a_failure_and_ends_with_a_table(pir_folder: Path, server: ArchiveServer, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "net.tar", "w") as archive:
        archive.add(pir_folder, "net_infer")
    server.content, server.only = (tmp_path / "net.tar").read_bytes(), "SeaFormer_base"
    mirror = server.url.replace("PP-LiteSeg-T", "{model}")
    models = tmp_path / "models"
    done = export(
        "all",
        "--repository",
        models,
        command=QUICK,
        SEMSEG_WEIGHTS_URL=mirror,
        SEMSEG_CACHE=str(tmp_path / "cache"),
        COLUMNS="40",
    )
    assert done.returncode == 1
    assert sorted(entry.name for entry in models.iterdir()) == ["SeaFormer_base", "SeaFormer_base_network"]
    table = done.stdout[done.stdout.index("agreement") :]
    rows = [line.split() for line in table.splitlines() if line.partition(" ")[0] in OFFICIAL]
    assert [row[0] for row in rows] == list(OFFICIAL)
    assert next(row for row in rows if row[0] == "SeaFormer_base")[1] == "1"
    assert "SeaFormer_base has 150 classes, but this network has 19" in " ".join(done.stdout.split())
    assert " ".join(table.split()).count("404 Not Found") == 19  # in a narrow column it may be on two lines
    assert done.stderr.count("Export failed:") == 19
    assert "19 of 20 models failed" in done.stderr


def test_class_names_that_do_not_fit_install_nothing(pir_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("road\nrest\n")
    arguments = ("--weights", pir_folder, "--classes", tmp_path / "classes.txt", "--repository", tmp_path / "models")
    done = export("roads", *arguments)
    assert done.returncode == 1
    assert "names 2 classes, but the network has 19" in done.stderr
    assert not (tmp_path / "models").exists()


def test_a_network_that_takes_more_memory_than_it_may_is_not_installed(pir_folder: Path, tmp_path: Path) -> None:
    done = export("roads", "--weights", pir_folder, "--repository", tmp_path / "models", "--memory", "0.1", command=QUICK)
    assert done.returncode == 1
    assert "for an image of one megapixel, more than the 0.1 GB allowed: allow more with MEMORY=" in done.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("under_way", ["marked.json", "answers/*"])
def test_a_stopped_export_leaves_nothing(pir_folder: Path, tmp_path: Path, under_way: str) -> None:
    (tmp_path / "tmp").mkdir()
    arguments = ["roads", "--weights", str(pir_folder), "--repository", str(tmp_path / "models")]
    process = subprocess.Popen([COMMAND, *arguments], env=os.environ | {"TMPDIR": str(tmp_path / "tmp")})
    while not list((tmp_path / "tmp").glob(f"semseg-export-*/{under_way}")):
        time.sleep(0.05)
        assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 143
    assert not (tmp_path / "models").exists()
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["PP-LiteSeg"], "PaddleX has no network 'PP-LiteSeg'; did you mean PP-LiteSeg-"),
        (["PP-LiteSeg-Demo"], "pass WEIGHTS=demo/PP-LiteSeg-Demo"),
        (["preprocess"], "is not a valid model name"),
        (["[/](slice)"], "'[/]' is not a valid model name"),
        (["PP-LiteSeg-T", "--weights", "nowhere"], "found no file or folder nowhere"),
        (["PP-LiteSeg-T", "--weights", ""], "cannot store https://paddle-model-ecology"),
        (["fast", "--architecture", "PP-LiteSeg-T"], "cannot store https://paddle-model-ecology"),
        (["PP-LiteSeg-T", "--precision", "int8", "--calibration", "nowhere"], "there is no folder nowhere"),
        (["PP-LiteSeg-T", "--images", "nowhere"], "there is no folder nowhere"),
    ],
)
def test_a_failure_is_one_line(arguments: list[str], complaint: str) -> None:
    done = export(*arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_quantised_network_is_installed_beside_the_other_and_told_of(tmp_path: Path) -> None:
    models = tmp_path / "models"
    arguments = (zoo.DEMO, "--weights", DEMO_WEIGHTS, "--repository", models, "--precision", "int8")
    done = export(*arguments, "--calibration", ROOT / "demo" / "images", command=QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Agreement of int8 with fp32" in done.stdout
    assert f"--model {zoo.DEMO}-int8" in done.stdout
    ensemble = text_format.Parse((models / f"{zoo.DEMO}-int8" / "config.pbtxt").read_text(), triton.ModelConfig())
    told = {key: value.string_value for key, value in ensemble.parameters.items()}
    assert (told["precision"], json.loads(told["calibration"])) == ("int8", {"folder": "images", "images": 3})
    assert json.loads(told["fidelity"])["equal"] > 0.985
    assert '"traffic light"' in told["class_names"]
    network = text_format.Parse((models / f"{zoo.DEMO}-int8_network" / "config.pbtxt").read_text(), triton.ModelConfig())
    assert network.default_model_filename == "model_cpu.onnx"


def test_what_quantisation_spoils_is_installed_by_force_only(pir_folder: Path, tmp_path: Path) -> None:
    """With random weights, classes are almost tied, so that quantisation changes many pixels."""
    models = tmp_path / "models"
    arguments = ("--weights", pir_folder, "--repository", models, "--precision", "int8")
    refused = export("roads", *arguments, "--calibration", ROOT / "demo" / "images", command=QUICK)
    assert refused.returncode == 1
    assert "of the pixels keep their fp32 class, less than 97%: nothing was installed. FORCE=1 (--force)" in refused.stderr
    assert not models.exists()
    forced = export(
        "mine", *arguments, "--calibration", ROOT / "demo" / "images", "--architecture", "PP-LiteSeg-T", "--force", command=QUICK
    )
    assert forced.returncode == 0, forced.stderr
    assert sorted(entry.name for entry in models.iterdir()) == ["mine", "mine_network"]


def test_slice_is_dropped_aloud() -> None:
    assert '"(slice)" is not part of the name: exporting SegFormer-B0' in export("SegFormer-B0 (slice)").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["net", "--agreement", "2"],
        ["net", "--classes", "nowhere"],
        ["all", "--weights", "a.tar"],
        ["all", "--threshold", "0.5"],
        ["net", "--threshold", "nan"],
        ["net", "--memory", "inf"],
        ["net", "--precision", "int8"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert export(*arguments).returncode == 2


def test_help_is_there_at_once_and_teaches() -> None:
    done = export("--help", PYTHONPROFILEIMPORTTIME="1")
    assert "semseg-export PP-LiteSeg-T --weights out/infer" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"paddle", "onnx", "onnxruntime", "paddle2onnx"})
