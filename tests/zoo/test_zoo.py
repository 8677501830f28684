"""Every network of PaddleX, from trained weights to the served graph, against Paddle. `make test-zoo` prints the table.

Weights are random, so that many pixels are near-ties; with trained weights practically none differs.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper
from rich import box
from rich.console import Console
from rich.table import Table

from semseg_export import convert, parity, weights, zoo
from semseg_export.archive import Archive
from semseg_export.graph import served_graph
from semseg_export.parity import Agreement, Shape
from semseg_export.runtime import Session

ROOT = Path(__file__).parents[2]
SHAPES: tuple[Shape, ...] = ((1, 256, 512), (1, 333, 417), (2, 256, 512), (1, 1024, 2048))
LEAST = 0.999
MEMORY = 16e9  # bytes

# The lightest of each family, in the format that Paddle wrote until 2024.
LEGACY = ("PP-LiteSeg-T", "OCRNet_HRNet-W18", "Deeplabv3_Plus-R50", "SegFormer-B0", "SeaFormer_tiny")


@dataclass
class Result:
    name: str
    agreements: list[Agreement]
    logits: float | None  # largest absolute difference
    spread: float | None  # of the logits: largest less smallest
    megabytes: float
    seconds: float  # of the conversion


@pytest.fixture(scope="module")
def results() -> Iterator[list[Result]]:
    found: list[Result] = []
    yield found
    table = Table(box=box.SIMPLE_HEAD, title="Pixels with the class that Paddle gives them")
    for heading in ("network", *(f"{batch}x{height}x{width}" for batch, height, width in SHAPES)):
        table.add_column(heading, no_wrap=True)
    for heading in ("logits differ by", "of", "MB", "conversion"):
        table.add_column(heading, justify="right")
    for result in found:
        shares = [f"{agreement.share:.4%}" for agreement in result.agreements]
        differences = [f"{value:.2g}" if value is not None else "" for value in (result.logits, result.spread)]
        table.add_row(result.name, *shares, *differences, f"{result.megabytes:.1f}", f"{result.seconds:.0f} s")
    Console(width=150).print(table)


def in_child(*arguments: object) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-m", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)


def measured(name: str, archive: Archive, logits: Path | None, folder: Path) -> Result:
    start = time.perf_counter()
    network = convert.to_onnx(archive, folder)
    served, classes = served_graph(network, archive.normalisation)
    seconds = time.perf_counter() - start
    assert classes == len(zoo.network(name).data_set.classes)
    agreements = parity.measure(served, archive, folder, SHAPES)
    onnx.save(served, folder / "model.onnx")
    megabytes = (folder / "model.onnx").stat().st_size / 1e6
    if logits is None:
        return Result(f"{name}, legacy", agreements, None, None, megabytes, seconds)
    expected = np.load(logits)
    pixels = parity.smooth_pixels(0, SHAPES[0])
    found = Session(with_logits(network)).run(archive.normalisation.apply(pixels))
    return Result(name, agreements, float(abs(found - expected).max()), float(np.ptp(expected)), megabytes, seconds)


def with_logits(network: ModelProto) -> ModelProto:
    """The network without its argmax."""
    last = next(node for node in network.graph.node if node.op_type == "ArgMax")
    del network.graph.output[:]
    network.graph.output.append(helper.make_tensor_value_info(last.input[0], TensorProto.FLOAT, None))
    return network


def judge(result: Result, results: list[Result]) -> None:
    results.append(result)
    shares = ", ".join(f"{agreement.share:.4%}" for agreement in result.agreements)
    print(f"\n{result.name}: {shares}; logits differ by {result.logits} of {result.spread}", flush=True)
    assert parity.lowest(result.agreements) >= LEAST
    # OCRNet weighs all pixels of an image together, so that random weights favour a class or two of some images.
    assert max(agreement.classes for agreement in result.agreements) >= 5
    assert min(agreement.classes for agreement in result.agreements) >= 2
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        assert resource.getrusage(who).ru_maxrss * 1024 < MEMORY


@pytest.mark.parametrize("name", zoo.MODELS)
def test_trained_weights_are_served_as_paddle_answers(name: str, results: list[Result], tmp_path: Path) -> None:
    in_child("tests.zoo.seeded", name, tmp_path)
    found = weights.find(name, str(tmp_path / f"{name}.pdparams"), tmp_path, lambda _: None)
    result = measured(name, found.archive, tmp_path / "logits.npy", tmp_path)
    judge(result, results)
    assert result.logits is not None
    assert result.spread is not None
    assert result.logits < 1e-2 * result.spread


@pytest.mark.parametrize("name", LEGACY)
def test_the_older_format_is_served_as_paddle_answers(name: str, results: list[Result], tmp_path: Path) -> None:
    in_child("tests.networks", tmp_path / "legacy", "--network", name, "--format", "legacy")
    found = weights.find(name, str(tmp_path / "legacy"), tmp_path, lambda _: None)
    assert found.archive.program.suffix == ".pdmodel"
    judge(measured(name, found.archive, None, tmp_path), results)
