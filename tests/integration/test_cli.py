"""The command line against a running server: our commands, and the PaddleX tutorial's with `paddlex` replaced by `semseg`."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from PIL import Image

from demo.run import SERVING
from semseg_client.pipeline.config import load
from semseg_client.ports import free_ports
from tests.support import DEMO, STREET, Service, semseg


def configuration(folder: Path, **changes: str) -> Path:
    """The pipeline's file as the command writes it, but for the demo network."""
    file = folder / "semantic_segmentation.yaml"
    written = semseg(folder, "--get_pipeline_config", "semantic_segmentation")
    assert written.returncode == 0, written.stderr
    text = file.read_text().replace("PP-LiteSeg-T", DEMO, 1)
    for key, value in changes.items():
        text = text.replace(f"\n{key}: null\n", f"\n{key}: {value}\n")
    file.write_text(text)
    return file


def test_a_configuration_is_written_where_it_is_asked_for_and_never_over_another(tmp_path: Path) -> None:
    done = semseg(tmp_path, "--get_pipeline_config", "semantic_segmentation", "--save_path", "./my_path")
    assert (done.returncode, done.stdout) == (0, "Wrote the pipeline's configuration to my_path/semantic_segmentation.yaml\n")
    assert load(tmp_path / "my_path" / "semantic_segmentation.yaml").model == "PP-LiteSeg-T"
    again = semseg(tmp_path, "--get_pipeline_config", "semantic_segmentation", "--save_path", "./my_path")
    assert again.returncode == 1
    assert "already exists: remove it, or choose another --save_path" in again.stderr


def test_an_image_is_predicted_by_name_and_by_file(service: Service, tmp_path: Path) -> None:
    named = ("--pipeline", "semantic_segmentation", "--model", DEMO, "--url", service.grpc)
    done = semseg(tmp_path, *named, "--input", STREET, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{{'res': {{'input_path': '{STREET}', 'page_index': None, 'pred': '...'}}}}\n"
    file = configuration(tmp_path, url=service.grpc)
    done = semseg(tmp_path, "--pipeline", file, "--input", STREET, "--save_path", "./output")
    assert done.returncode == 0, done.stderr
    assert {each.name for each in (tmp_path / "output").iterdir()} == {".semseg", "street_res.jpg", "street_res.json"}
    content = json.loads((tmp_path / "output" / "street_res.json").read_text())
    assert np.shape(content["pred"]) == (1, 512, 1024)
    with Image.open(tmp_path / "output" / "street_res.jpg") as picture:
        assert picture.size == (1024, 512)


def test_a_bad_image_among_many_costs_itself_alone(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(20):
        cv2.imwrite(str(folder / f"{number:02}.png"), np.full((48, 64, 3), number, np.uint8))
    (folder / "07.png").write_bytes(b"no image")
    named = ("--pipeline", "semantic_segmentation", "--model", DEMO, "--url", service.grpc)
    done = semseg(tmp_path, *named, "--input", folder, "--save_path", tmp_path / "out")
    assert done.returncode == 1
    first, last = done.stderr.splitlines()
    assert first == "1 of 20 images failed:"
    assert last.startswith(f"  {folder}/07.png: image: cannot be decoded")
    assert len(list((tmp_path / "out").glob("*_res.*"))) == 38


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--pipeline", "semantic_segmentation"], 2, "--input is missing"),
        (["--input", "a.png"], 2, "--pipeline is missing"),
        (["--pipeline", "object_detection", "--input", "a.png"], 1, "only semantic_segmentation is supported"),
        (["--get_pipeline_config", "OCR"], 1, "only semantic_segmentation is supported"),
        (["--pipeline", "semantic_segmentation", "--url", "127.0.0.1:1", "--input", "a.png"], 1, "no tritonserver answers"),
        (["--pipeline", "semantic_segmentation", "--device", "npu:0", "--input", "a.png"], 1, "needs CANNExecutionProvider"),
        (["--pipeline", "semantic_segmentation", "--device", "tpu", "--input", "a.png"], 1, "device 'tpu': unknown"),
        (["--pipeline", "semantic_segmentation", "--model", "PP-LiteSeg", "--input", "a.png"], 1, "did you mean PP-LiteSeg-T"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(arguments: list[str], code: int, told: str, tmp_path: Path) -> None:
    done = semseg(tmp_path, *arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1


def test_a_wrong_key_of_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    text = file.read_text().replace("model_name:", "modle_name:")
    file.write_text(text)
    line = text[: text.index("modle_name:")].count("\n") + 1
    done = semseg(tmp_path, "--pipeline", file, "--input", STREET)
    assert done.returncode == 1
    assert f"line {line}: unknown key 'modle_name'; did you mean 'model_name'?" in done.stderr


def test_serving_takes_paddlexs_options(service: Service, tmp_path: Path) -> None:
    file = configuration(tmp_path, url=service.grpc)
    port = free_ports("127.0.0.1", {"--port": 0})["--port"]
    command: list[str | Path] = [SERVING / "semseg", "--serve", "--pipeline", file, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        assert any(line == f"Model    {DEMO}\n" for line in process.stdout)  # printed once it serves
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=30).ok
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output


def test_models_are_listed_as_they_are_served_and_as_they_are_exported(
    full_service: Service, full_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = semseg(tmp_path, "models", "--url", full_service.grpc, "--json")
    exported = semseg(tmp_path, "models", "--model-repository", full_repository, "--json")
    assert served.returncode == exported.returncode == 0
    assert json.loads(served.stdout) == json.loads(exported.stdout)
    by_name = {model["name"]: model for model in json.loads(served.stdout)}
    assert set(by_name) == {DEMO, "PP-LiteSeg-T", "PP-LiteSeg-T-legacy"}
    assert by_name[DEMO]["class_names"][:2] == ["road", "sidewalk"]
    monkeypatch.setenv("COLUMNS", "20")  # every figure is whole nevertheless
    table = semseg(tmp_path, "models", "--url", full_service.grpc).stdout
    assert f"{by_name[DEMO]['agreement']:.4%}" in table


def test_the_exporter_gets_its_options_and_gives_its_exit_code(tmp_path: Path) -> None:
    helped = semseg(tmp_path, "export", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "--weights" in helped.stdout
    refused = semseg(tmp_path, "export", DEMO, "--weights", "nowhere", "--repository", tmp_path)
    assert refused.returncode == 1
    assert "nowhere" in refused.stderr
