"""`make demo`: serve the demo network on free ports, segment a street over REST, stop.

Writes output/street.jpg (the picture) and output/street.json (the whole answer).
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from semseg_client import Client

MODEL = "PP-LiteSeg-Demo"
IMAGE = Path(__file__).parent / "images" / "street.jpg"
REPOSITORY = Path("model_repository")
OUTPUT = Path("output")
SERVING = Path(sys.executable).parent

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print the step at its start and its duration at its end."""
    console.print(f"[bold]{step}[/]")
    start = time.perf_counter()
    yield
    console.print(f"  {time.perf_counter() - start:.1f} s", style="dim")


@contextmanager
def serving(repository: Path, *flags: str, **settings: str) -> Iterator[dict[str, str]]:
    """Run `semseg serve` on free ports until the block ends; yields the addresses `rest`, `grpc` and `metrics`.

    `settings` become environment variables of the service.
    """
    with TemporaryDirectory(prefix="semseg-demo-") as folder:
        ready = Path(folder, "ready.json")
        ports = [f"--{name}=0" for name in ("port", "grpc-port", "metrics-port")]
        command: list[str | Path] = [
            SERVING / "semseg",
            "serve",
            "--model-repository",
            repository,
            "--ready-file",
            ready,
            *ports,
            *flags,
        ]
        # The user's own settings are meant for another service.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SEMSEG_")}
        environment |= settings
        process = subprocess.Popen(command, env=environment)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit(f"semseg serve ended with exit code {process.returncode} before it was ready")
                time.sleep(0.1)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            process.wait()


def segment(rest: str, image: bytes) -> dict[str, Any]:
    """POST /semantic-segmentation; returns the whole answer."""
    body = json.dumps({"image": base64.b64encode(image).decode()}).encode()
    request = urllib.request.Request(f"{rest}/semantic-segmentation", body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    here = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with here.open(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def class_table(result: dict[str, Any], names: Sequence[str]) -> Table:
    """The classes found with their share of the pixels, the largest first."""
    table = Table("class", "pixels", box=None, padding=(0, 2))
    label_map = np.array(result["labelMap"], np.uint8)
    counts = np.bincount(label_map, minlength=len(names))
    for label in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]:
        table.add_row(names[label], f"{counts[label] / label_map.size:6.2%}")
    return table


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the child processes, too
    with ExitStack() as running:
        with timed("Start tritonserver and the gateway on free ports"):
            addresses = running.enter_context(serving(REPOSITORY, "--model", MODEL))
        with Client(addresses["grpc"]) as client:
            names = client.models()[0].class_names
        with timed(f"POST {IMAGE.name} to {addresses['rest']}/semantic-segmentation"):
            answer = segment(addresses["rest"], IMAGE.read_bytes())
        with timed("Stop both"):
            running.close()
    result = answer["result"]
    OUTPUT.mkdir(exist_ok=True)
    picture, document = OUTPUT / "street.jpg", OUTPUT / "street.json"
    picture.write_bytes(base64.b64decode(result["image"]))
    document.write_text(json.dumps(answer))
    height, width = result["size"]
    console.print(f"\nFound in {IMAGE.name} ({width}x{height}):")
    console.print(class_table(result, names))
    console.print(
        f"\nThe picture is in {picture}, the whole answer in {document}. Next: [bold]make serve[/], then open /docs there."
    )


if __name__ == "__main__":
    main()
