"""PaddleX's own REST service, on our weights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml

from semseg_client.ports import free_ports

PADDLEX = Path(os.environ.get("SEMSEG_PADDLEX_PYTHON", Path(sys.prefix, "paddlex", "bin", "python"))).with_name("paddlex")
_PATIENCE = 180.0  # s, for the service to become ready


@contextmanager
def paddlex_service(weights: Path, name: str, folder: Path) -> Iterator[str]:
    """`paddlex --serve` of the archive `weights`, whose inference.yml calls the network `name`; yields the URL.

    It writes into `folder`.
    """
    module = {"module_name": "semantic_segmentation", "model_name": name, "model_dir": str(weights), "batch_size": 1}
    pipeline = folder / "pipeline.yaml"
    pipeline.write_text(
        yaml.safe_dump(
            {
                "pipeline_name": "semantic_segmentation",
                "SubModules": {"SemanticSegmentation": {**module, "target_size": None}},
            }
        )
    )
    port = free_ports("127.0.0.1", {"--port": 0})["--port"]
    command: list[str | Path] = [PADDLEX, "--serve", "--pipeline", pipeline, "--device", "cpu"]
    # Otherwise it searches the network for the nearest model host and creates folders in the user's home.
    environment = {
        **os.environ,
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
        "PADDLE_PDX_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": "",
    }
    url = f"http://127.0.0.1:{port}"
    with (folder / "paddlex.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            _wait_ready(url, process, folder / "paddlex.log")
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    latest = time.monotonic() + _PATIENCE
    while True:
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        if process.poll() is not None or time.monotonic() > latest:
            raise AssertionError(f"PaddleX's service did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.5)
