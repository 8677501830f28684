from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.images import Size
from bench.least_squares import exponent, slope
from bench.publication import between
from bench.quantiles import p99
from bench.records import Failure, Load, Results
from bench.report import markdown
from bench.stages import timing

LOAD = Load(
    model="roads",
    size="512x1024",
    rival="rest",
    clients=8,
    round=0,
    latencies=[0.1] * 20,
    seconds=2.0,
    cpu=0.1,
    loader_cpu=0.001,
    pss=10**9,
    rss=2 * 10**9,
    others=0.0,
    agreement=1.0,
)


def test_ratios_are_taken_round_by_round_against_the_best_floor() -> None:
    # The machine is half as fast in the second round, but the ratio is the same.
    loads = [replace(LOAD, round=number, seconds=2.0 * (number + 1)) for number in (0, 1)]
    floors = [replace(load, rival="floor-1x1", seconds=load.seconds / 2) for load in loads]
    slower = [replace(load, rival="floor-2x1", seconds=load.seconds * 2) for load in loads]
    text = markdown([*loads, *floors, *slower])
    row = next(line for line in text.splitlines() if line.startswith("| rest |"))
    assert "| 0.50 (0.50-0.50) |" in row


def test_ours_is_compared_with_each_rival() -> None:
    loads = [LOAD, replace(LOAD, rival="paddlex", seconds=4.0, pss=2 * 10**9)]
    assert "| rest / paddlex | 2.00 (2.00-2.00) | 0.50 |" in markdown(loads)


def test_a_rival_that_is_out_is_told() -> None:
    assert "paddlex was left out: it ended" in markdown([Failure("roads", "mixed", "paddlex", "it ended")])


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results(tmp_path / "results" / "run.jsonl")
    results.add(LOAD)
    assert json.loads(results.file.read_text())["kind"] == "Load"
    assert Results.read(results.file).records == [LOAD]


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    between(document, "bench", "new")
    assert document.read_text() == "before\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nafter\n"


def test_a_document_without_markers_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("text")
    with pytest.raises(ValueError, match="has no <!-- bench: begin -->"):
        between(document, "bench", "new")


def test_p99_is_a_value_that_was_seen() -> None:
    assert p99([float(value) for value in range(1, 201)]) == 198.0
    assert p99([3.0, 1.0, 2.0]) == 3.0


def test_server_timing_is_read_in_seconds() -> None:
    found = timing('parse;dur=0.5, base64;desc="Base64; decoded";dur=1.25, miss')
    assert found == {"parse": 0.0005, "base64": 0.00125}


def test_the_exponent_of_a_power_and_the_slope_of_a_line_are_found() -> None:
    assert exponent([1, 2, 4, 8], [3.0, 6.0, 12.0, 24.0]) == pytest.approx(1)
    assert exponent([1, 2, 4], [1.0, 4.0, 16.0]) == pytest.approx(2)
    assert slope([1, 2, 3], [110.0, 220.0, 330.0]) == pytest.approx(110)


@pytest.mark.parametrize("megapixels", [0.125, 0.5, 2, 8])
def test_sizes_have_the_pixels_that_are_asked_for(megapixels: float) -> None:
    height, width = Size.wide(megapixels).shapes[0]
    assert height * width == megapixels * 2**20
