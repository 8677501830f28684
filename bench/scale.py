"""`python -m bench.scale`, or `make bench-scale`: how the cost of an image grows with pixels, clients and models.

Least squares fit a power law, value ** exponent, to the logarithms for pixels and clients, and a straight line for models.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from . import models, plot, report
from .images import Size
from .least_squares import exponent, slope
from .load import Plan
from .machine import Machine, this_machine
from .models import Missing, Model
from .places import RESULTS
from .publication import publish
from .quantiles import median
from .records import Point, Record, Results
from .rivals.floor import Floor, arrangements
from .rivals.rival import Failed, Server
from .rivals.semseg import Semseg

MEGAPIXELS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
MODELS = (1, 2, 3, 4, 5, 6)
SIZE = Size.of("512x1024")  # for the series of clients and models

S = TypeVar("S", bound=Server)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True, markup=False)


@app.command()
def scale(
    model: Annotated[str, typer.Option(help="The network.")] = "PP-LiteSeg-T",
    megapixels: Annotated[str, typer.Option(help="Sizes of the images, in 2^20 pixels.")] = ",".join(map(str, MEGAPIXELS)),
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients.")] = ",".join(map(str, CLIENTS)),
    loaded: Annotated[str, typer.Option("--loaded", help="Numbers of models in one server.")] = ",".join(map(str, MODELS)),
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a measurement, after its warm-up.")] = 8.0,
    docs: Annotated[bool, typer.Option("--docs", help="Also write the tables and the plot into docs/.")] = False,
    earlier: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, help="Only write the tables of these earlier results."),
    ] = None,
) -> None:
    """Measure how our server scales, over gRPC, for the label map. An empty list skips its series."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the child processes, too
    if earlier is not None:
        results = Results.read(earlier)
    else:
        results = Results(RESULTS / f"scale-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}.jsonl")
        results.add(this_machine("bench-scale"))
        series = Series(Model(model), seconds, results)
        try:
            series.model.prepare()
            series.pixels([float(value) for value in megapixels.split(",") if value])
            series.clients([int(value) for value in clients.split(",") if value])
            series.models([int(value) for value in loaded.split(",") if value])
        except (Missing, Failed) as error:
            console.print(f"Skipping the rest: {error}")
    points = report.of(results.records, Point)
    if not points:
        raise typer.Exit(1)
    for file in publish(results, markdown(results.records), partial(plot.lines, panels(points)), "bench-scale", docs=docs):
        console.print(f"Written: {file}")


class Series:
    """The measurements of one network."""

    def __init__(self, model: Model, seconds: float, results: Results) -> None:
        self.model = model
        self._plan = Plan(seconds, 3)
        self._results = results

    def pixels(self, values: Sequence[float]) -> None:
        """One client, one image of each size, our server and the floor in turn."""
        with running(Semseg(self.model)) as (ours, ready), running(Floor(self.model, arrangements()[0])) as (floor, _):
            for value in values:
                size = Size.wide(value)
                files = size.files()[:1]
                height, width = size.shapes[0]
                megapixels = height * width / 2**20
                try:
                    mine = self._measured(ours, "pixels", megapixels, files, 1, ready)
                except Failed as error:  # beyond the model's limit
                    console.print(f"{error}; skipping larger images")
                    return
                self._add(replace(mine, floor=self._measured(floor, "pixels", megapixels, files, 1).seconds))

    def clients(self, values: Sequence[int]) -> None:
        """Increasing numbers of clients, with images of one size."""
        with running(Semseg(self.model)) as (ours, ready):
            for value in values:
                self._add(self._measured(ours, "clients", value, SIZE.files(), value, ready))

    def models(self, values: Sequence[int]) -> None:
        """The same network under several names. Every copy answers a request before the measurement."""
        copies = [f"{self.model.name}-copy{number}" for number in range(1, max(values, default=1))]
        for copy in copies:
            models.export(copy, self.model.weights)
        for value in values:
            others = tuple(copies[: value - 1])
            with running(Semseg(self.model, others)) as (ours, ready):
                for other in others:
                    ours.ask(other, SIZE.files()[0])
                self._add(self._measured(ours, "models", value, SIZE.files(), 1, ready))

    def _measured(
        self, server: Server, axis: str, value: float, files: Sequence[Path], clients: int, ready: float = 0.0
    ) -> Point:
        with server.tree.watched() as peak:
            window, _ = server.load("grpc", files, clients, self._plan)
        if window.failures:
            raise Failed(f"{axis} {value:g}: {window.failures[0]}")
        interval = window.seconds / len(window.latencies)
        return Point(axis, self.model.name, value, interval, None, median(window.latencies), peak.pss, ready)

    def _add(self, point: Point) -> None:
        self._results.add(point)
        console.print(
            f"{point.axis} {point.value:g}: {point.seconds * 1e3:.1f} ms per image, latency {point.latency * 1e3:.1f} ms, "
            f"{point.pss / 1e6:.0f} MB" + (f", floor {point.floor * 1e3:.1f} ms" if point.floor else "")
        )


@contextmanager
def running(server: S) -> Iterator[tuple[S, float]]:
    """Start the server; yields it and the seconds until it was ready."""
    try:
        yield server, server.start()
    finally:
        server.stop()


def markdown(records: Sequence[Record]) -> str:
    """The tables of the series, with their fits."""
    points = report.of(records, Point)
    parts = [report.described(machine) for machine in report.of(records, Machine)]
    tables: dict[str, Callable[[Sequence[Point]], list[str]]] = {"pixels": _pixels, "clients": _clients, "models": _models}
    for axis, table in tables.items():
        series = [point for point in points if point.axis == axis]
        if series:
            parts += [f"### {series[0].model}, {axis}", "", *table(series), ""]
    return "\n".join(parts)


def panels(points: Sequence[Point]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """The lines to plot, by panel."""
    drawn: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for point in points:
        if point.axis == "pixels":
            panel = drawn.setdefault("seconds per image against 2^20 pixels", {})
            panel.setdefault("gRPC", []).append((point.value, point.seconds))
            if point.floor:
                panel.setdefault("bare ONNX Runtime", []).append((point.value, point.floor))
        elif point.axis == "clients":
            panel = drawn.setdefault(f"seconds against clients, {SIZE.name}", {})
            panel.setdefault("latency", []).append((point.value, point.latency))
            panel.setdefault("between two answers", []).append((point.value, point.seconds))
        else:
            panel = drawn.setdefault("GB against models in one server", {})
            panel.setdefault("memory (PSS)", []).append((point.value, point.pss / 1e9))
    return drawn


def _pixels(points: Sequence[Point]) -> list[str]:
    rows = [
        [f"{p.value:.3g}", f"{p.seconds * 1e3:.1f}", f"{p.floor * 1e3:.1f}", f"{p.seconds / p.floor:.2f}", f"{p.pss / 1e6:.0f}"]
        for p in points
        if p.floor
    ]
    values = [point.value for point in points]
    fits = [exponent(values, figures) for figures in ([p.seconds for p in points], [p.floor or 0 for p in points])]
    return [
        *report.table(["2^20 pixels", "gRPC ms", "floor ms", "ratio", "PSS MB"], rows),
        "",
        f"Time grows with pixels to the power of {fits[0]:.2f}, the floor's {fits[1]:.2f}.",
    ]


def _clients(points: Sequence[Point]) -> list[str]:
    rows = [[f"{p.value:g}", f"{1 / p.seconds:.2f}", f"{p.latency * 1e3:.0f}", f"{p.pss / 1e6:.0f}"] for p in points]
    fit = exponent([point.value for point in points], [point.latency for point in points])
    return [
        *report.table(["clients", "images/s", "median ms", "PSS MB"], rows),
        "",
        f"Latency grows with clients to the power of {fit:.2f}: 1 would mean pure queueing.",
    ]


def _models(points: Sequence[Point]) -> list[str]:
    rows = [[f"{p.value:g}", f"{p.ready:.1f}", f"{p.pss / 1e6:.0f}", f"{p.latency * 1e3:.0f}"] for p in points]
    values = [point.value for point in points]
    memory, ready = slope(values, [p.pss for p in points]), slope(values, [p.ready for p in points])
    return [
        *report.table(["models", "ready s", "PSS MB", "median ms"], rows),
        "",
        f"One more model takes {memory / 1e6:.0f} MB and {ready:.2f} s at start.",
    ]


if __name__ == "__main__":
    app(prog_name="make bench-scale")
