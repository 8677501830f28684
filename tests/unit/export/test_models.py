from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from semseg_contract.official import OFFICIAL
from semseg_contract.record import Memory, ModelRecord
from semseg_export import models
from semseg_export.install.repository import Versions, install, serve
from semseg_export.models import Exported

RECORD = ModelRecord(
    class_names=("road",),
    palette=((128, 0, 0),),
    max_pixels=8 * 2**20,
    memory=Memory([[1, 2e8], [2, 3e8]], 0),
    source="net.tar",
    source_sha256="ab" * 32,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-02T03:04:05+00:00",
    agreement=0.99999,
    comparison=[],
    precision="fp32",
)


def listed(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semseg_export.models", "--repository", repository]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1"})


def test_the_list_tells_what_is_exported(tmp_path: Path) -> None:
    install(tmp_path / "r", "SegFormer-B0", {"model.onnx": b"onnx"}, RECORD)
    install(tmp_path / "r", "SegFormer-B0", {"model.onnx": b"onnx"}, RECORD)
    install(tmp_path / "r", "PP-LiteSeg-Demo", {"model.onnx": b"onnx"}, RECORD)
    install(tmp_path / "r", "roads", {"model.onnx": b"onnx"}, RECORD)
    done = listed(tmp_path / "r")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if "Cityscapes" in line or "ADE20K" in line}
    assert list(lines) == [*OFFICIAL, "PP-LiteSeg-Demo"]
    assert " ".join(lines["SegFormer-B0"].split()) == "SegFormer-B0 Cityscapes 76.73 1024² windows 13.2 2 (1) 99.9990%"
    assert lines["SegFormer-B1"].split()[-1] == "48.5"
    assert lines["MaskFormer_tiny"].split() == ["MaskFormer_tiny", "ADE20K", "46.69", "512x512"]
    assert lines["PP-LiteSeg-Demo"].split() == ["PP-LiteSeg-Demo", "Cityscapes", "1", "99.9990%"]
    assert "roads own data 1 99.9990%" in " ".join(done.stdout.split())


def test_an_empty_repository_is_no_failure(tmp_path: Path) -> None:
    assert listed(tmp_path / "nowhere").returncode == 0
    assert models.exported(tmp_path / "nowhere") == {}


def test_half_a_model_is_not_counted(tmp_path: Path) -> None:
    install(tmp_path, "net", {"model.onnx": b"onnx"}, RECORD)
    (tmp_path / "net" / "config.pbtxt").unlink()
    assert models.exported(tmp_path) == {}


def test_after_rolling_back_the_older_version_is_the_one_served(tmp_path: Path) -> None:
    install(tmp_path, "net", {"model.onnx": b"onnx"}, RECORD)
    install(tmp_path, "net", {"model.onnx": b"onnx"}, replace(RECORD, agreement=0.9995))
    assert models.exported(tmp_path) == {"net": Exported(Versions(2, (1, 2)), 0.9995)}
    serve(tmp_path, "net", 1)
    assert models.exported(tmp_path) == {"net": Exported(Versions(1, (1, 2)), 0.99999)}


def test_a_broken_configuration_is_told_in_one_line(tmp_path: Path) -> None:
    install(tmp_path, "net", {"model.onnx": b"onnx"}, RECORD)
    (tmp_path / "net" / "config.pbtxt").write_text("{")
    install(tmp_path, "whole", {"model.onnx": b"onnx"}, RECORD)
    done = listed(tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "net/config.pbtxt" in done.stderr
    assert {line.split()[0]: line.split()[3:] for line in done.stdout.splitlines() if "own data" in line} == {
        "net": ["broken"],
        "whole": ["1", "99.9990%"],
    }
