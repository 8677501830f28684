"""The first use of one of PaddleX's networks, in a fresh folder: it is fetched and exported, once, and answers."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from demo.run import SERVING
from semseg_client import AsyncPipeline
from tests.support import DEMO_WEIGHTS, STREET
from tests.unit.export.archive_server import ArchiveServer, serve

MODEL = "PP-LiteSeg-T"  # the pipeline's own; the archive holds the demo network, which is one, but smaller


def archive() -> bytes:
    """An archive in the official layout."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in ("inference.json", "inference.pdiparams", "inference.yml"):
            tar.add(DEMO_WEIGHTS / name, f"{MODEL}_infer/{name}")
    return content.getvalue()


@pytest.fixture(scope="module")
def mirror() -> Iterator[ArchiveServer]:
    with serve(archive()) as server:
        server.only = f"/{MODEL}_infer.tar"
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copy(STREET, folder / "x.jpg")
    return folder


def address(server: ArchiveServer, model: str) -> str:
    return f"{server.url.rpartition('/')[0]}/{model}_infer.tar"


def start(folder: Path, server: ArchiveServer, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start `semseg ...` in the folder, with the server as the mirror of the official weights."""
    cache = folder.with_name(f"{folder.name}-cache")
    environment = {**os.environ, "SEMSEG_WEIGHTS_URL": address(server, "{model}"), "SEMSEG_CACHE": str(cache)}
    environment["TMPDIR"] = str(folder)
    command: list[str | Path] = [SERVING / "semseg", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.terminate()
    return process.returncode, out, err


def exporters_of(pid: int) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children() if "semseg-export" in " ".join(each.cmdline())]


TUTORIAL = ("--pipeline", "semantic_segmentation", "--input", "x.jpg", "--device", "cpu")
PRINTED = "{'res': {'input_path': 'x.jpg', 'page_index': None, 'pred': '...'}}\n"


def test_a_killed_export_leaves_no_model(folder: Path, mirror: ArchiveServer) -> None:
    killed = start(folder, mirror, *TUTORIAL)
    while not (exporters := exporters_of(killed.pid)):
        time.sleep(0.05)
        assert killed.poll() is None
    time.sleep(2)  # let it get to work
    killed.kill()
    killed.communicate()
    assert psutil.wait_procs(exporters, timeout=30)[1] == []
    assert {entry.name for entry in folder.iterdir()} == {"x.jpg", "model_repository"}
    assert {entry.name for entry in (folder / "model_repository").iterdir()} == {"preprocess", "postprocess", "draw"}


async def test_a_pipeline_that_nobody_waits_for_any_more_gives_its_export_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(archive()) as server:
        monkeypatch.setenv("SEMSEG_WEIGHTS_URL", address(server, "{model}"))
        monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
        opening = asyncio.create_task(AsyncPipeline(repository=tmp_path / "models").__aenter__())
        while not (exporters := exporters_of(os.getpid())):
            await asyncio.sleep(0.05)
            assert not opening.done()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert (await asyncio.to_thread(psutil.wait_procs, exporters, 60))[1] == []
    assert not (tmp_path / "models" / MODEL).exists()


def test_the_tutorials_commands_answer_and_at_once_they_export_once(folder: Path, mirror: ArchiveServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # serving gets as far as this port
        port = str(taken.getsockname()[1])
        predicting = start(folder, mirror, *TUTORIAL, "--save_path", "output")
        serving = start(folder, mirror, "--serve", "--pipeline", "semantic_segmentation", "--port", port)
        code, out, first = told(predicting)
        assert (code, out) == (0, PRINTED)
        code, out, err = told(serving)
    second, refusal = err.splitlines(keepends=True)
    assert (code, out) == (1, f"Starting tritonserver with {MODEL}\n")
    assert port in refusal
    exporting, waiting = f"Exporting {MODEL} to {folder}/model_repository\n", f"Waiting for another export before {MODEL}\n"
    assert {first, second} == {exporting, waiting}
    assert np.shape(json.loads((folder / "output" / "x_res.json").read_text())["pred"]) == (1, 512, 1024)
    networks = folder / "model_repository" / f"{MODEL}_network"
    assert [version.name for version in networks.glob("[0-9]*")] == ["1"]
    assert len(mirror.seen) == 1


def test_from_then_on_nothing_is_fetched(folder: Path, mirror: ArchiveServer) -> None:
    script = (
        "from semseg_client import create_pipeline; [found] = create_pipeline().predict('x.jpg'); print(found.classes[0].name)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "road\n", "")
    assert told(start(folder, mirror, "predict", "x.jpg"))[0] == 0
    assert len(mirror.seen) == 1


@pytest.mark.parametrize("command", [("predict", "x.jpg"), ("serve",), TUTORIAL])
def test_weights_that_cannot_be_fetched_are_told_in_a_line(
    command: tuple[str, ...], tmp_path: Path, mirror: ArchiveServer
) -> None:
    code, out, err = told(start(tmp_path, mirror, *command, "--model", "SeaFormer_tiny"))
    assert (code, out) == (1, "")
    exporting, line = err.splitlines()
    assert exporting == f"Exporting SeaFormer_tiny to {tmp_path}/model_repository"
    assert line.startswith(f"semseg: SeaFormer_tiny cannot be exported: {address(mirror, 'SeaFormer_tiny')} returned 404")
    assert not (tmp_path / "model_repository" / "SeaFormer_tiny").exists()
