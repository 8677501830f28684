"""Compares every network of PaddleX with Paddle, from weights to the served graph. `make test-zoo` prints the table.

The weights are random, so many pixels are near-ties; with trained weights practically none differ.
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
import pytest
from rich import box
from rich.console import Console
from rich.table import Table

from semseg_contract.official import OFFICIAL
from semseg_contract.record import Memory
from semseg_export.checks import memory, parity, sizes
from semseg_export.checks.parity import Agreement
from semseg_export.conversion import convert
from semseg_export.conversion.graph import deciding, served_graph
from semseg_export.runtime import Session
from semseg_export.synthetic_images import Shape, smooth_pixels
from semseg_export.weights import locate, zoo
from semseg_export.weights.archive import Archive
from tests.unit.export.silent import Silent

ROOT = Path(__file__).parents[2]
SQUARE: Shape = (1, zoo.SIDE, zoo.SIDE)  # the only one that MaskFormer takes
LEAST = 0.999
BUDGET = 8e9  # bytes, the default of an export
MEMORY = 16e9  # bytes allowed for testing a network

# The lightest of each family, tested in the format that Paddle wrote until 2024. Paddle 3.2 cannot rebuild MaskFormer in it.
LEGACY = ("PP-LiteSeg-T", "OCRNet_HRNet-W18", "Deeplabv3_Plus-R50", "SegFormer-B0", "SeaFormer_tiny")


@pytest.fixture(autouse=True, scope="module")
def memory_is_bounded() -> Iterator[None]:
    """Checks the peak memory of this process and of its largest child, once after all networks."""
    yield
    peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"this process peaked at {peaks[0] / 1e9:.1f} GB, its largest child at {peaks[1] / 1e9:.1f} GB")
    assert max(peaks) < MEMORY


@dataclass
class Result:
    name: str
    agreements: list[Agreement]
    megabytes: float
    seconds: float  # of the conversion
    memory: Memory


@pytest.fixture(scope="module")
def results() -> Iterator[list[Result]]:
    found: list[Result] = []
    yield found
    table = Table(box=box.SIMPLE_HEAD, title="Pixels with the same class as in Paddle")
    for heading in ("network", *(f"{batch}x{height}x{width}" for batch, height, width in (*parity.SHAPES, SQUARE))):
        table.add_column(heading, no_wrap=True)
    for heading in ("logits differ", "of", "margin", "MB", "conversion", "GB/MP", "8 GB admit"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in found:
        worst = max(result.agreements, key=lambda agreement: agreement.logits or 0)
        margin = max(agreement.margin or 0 for agreement in result.agreements)
        table.add_row(
            result.name,
            *(share(result, shape) for shape in (*parity.SHAPES, SQUARE)),
            f"{worst.logits:.2g}",
            f"{worst.spread:.3g}",
            f"{margin:.2g}",
            f"{result.megabytes:.1f}",
            f"{result.seconds:.0f} s",
            f"{result.memory.slope / 1e9:.2f}",
            f"{memory.limit(result.memory, BUDGET)} MP",
        )
    Console(width=200).print(table)


def share(result: Result, shape: Shape) -> str:
    found = [each.share for each in result.agreements if (each.batch, each.height, each.width) == shape]
    return f"{min(found):.4%}" if found else ""


def in_child(*arguments: object) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-m", *map(str, arguments)], cwd=ROOT, check=True, capture_output=True)


def measured(name: str, archive: Archive, folder: Path) -> tuple[Result, Session]:
    """What an export measures, and a session for the served network's logits."""
    start = time.perf_counter()
    served = served_graph(convert.to_onnx(archive, folder), archive.normalisation)
    seconds = time.perf_counter() - start
    assert served.scores.classes == len(zoo.network(name).data_set.classes)
    served, preparation, notes = sizes.fitted(served, archive)
    assert preparation.fixed == zoo.network(name).size_for(archive.steps)
    assert (preparation.divisor, preparation.least, notes) == (1, 1, ())
    agreements = parity.measure(served, archive, preparation, folder)
    content = served.model.SerializeToString()
    result = Result(name, agreements, len(content) / 1e6, seconds, memory.measure(content, folder, preparation))
    return result, Session(deciding(served.model))


def judge(result: Result, results: list[Result]) -> None:
    results.append(result)
    shares = ", ".join(f"{agreement.share:.4%}" for agreement in result.agreements)
    print(f"\n{result.name}: {shares}", flush=True)
    parity.require(result.agreements, LEAST)  # also requires differing pixels to be near-ties
    assert all(agreement.margin is not None for agreement in result.agreements)
    # OCRNet weighs all pixels together, so random weights favour one class in some images; the logits decide there.
    assert max(agreement.classes for agreement in result.agreements) >= 5
    if len(result.agreements) == len(parity.SHAPES):
        assert memory.limit(result.memory, BUDGET) >= 2, "an image of 2048x1024 is refused"


@pytest.mark.parametrize("name", OFFICIAL)
def test_trained_weights_are_served_as_paddle_answers(name: str, results: list[Result], tmp_path: Path) -> None:
    in_child("tests.zoo.seeded", name, tmp_path)
    found = locate.find(name, str(tmp_path / f"{name}.pdparams"), tmp_path, Silent())
    result, logits = measured(name, found.archive, tmp_path)
    judge(result, results)
    trained = np.load(tmp_path / "logits.npy")  # from the network that the weights come from
    exported = logits.run(smooth_pixels(0, (1, *trained.shape[2:])))
    assert abs(exported - trained).max() < parity.NEAR * np.ptp(trained)


@pytest.mark.parametrize("name", LEGACY)
def test_the_older_format_is_served_as_paddle_answers(name: str, results: list[Result], tmp_path: Path) -> None:
    in_child("tests.networks", tmp_path / "legacy", "--network", name, "--format", "legacy")
    found = locate.find(name, str(tmp_path / "legacy"), tmp_path, Silent())
    assert found.archive.program.suffix == ".pdmodel"
    result, _ = measured(name, found.archive, tmp_path)
    result.name += ", legacy"
    judge(result, results)
