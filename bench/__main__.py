"""`python -m bench`, or `make bench`: compare the rivals on this machine."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from . import models, plot, report
from .comparison import Comparison, Terms
from .images import MIXED, Size
from .machine import this_machine
from .models import Missing, Model
from .places import RESULTS
from .publication import publish
from .records import Load, Results
from .rivals.catalogue import FLOOR, RIVALS, Rival, chosen

SIZES = ("512x1024", "1024x2048", MIXED)
CLIENTS = (1, 8, 32)

EPILOG = """
[bold]Examples[/]

make bench ARGS="--models PP-LiteSeg-T --sizes 1024x2048 --rivals floor,grpc,rest,paddlex --rounds 3"

make bench ARGS="--models PP-LiteSeg-T,PP-LiteSeg-T-int8 --clients 1,8 --docs"

make bench ARGS="--from .bench/results/bench-20260101-120000.jsonl --docs"

Separate lists with commas. A network's name with -int8 or -fp16 means a model exported with `make export NAME=... PRECISION=...`
from the network's weights in .bench/weights.
"""

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True, markup=False)


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@app.command(epilog=EPILOG)
def bench(
    model_names: Annotated[str, typer.Option("--models", help="Networks, as `make models` lists them.")] = ",".join(
        models.DEFAULT
    ),
    sizes: Annotated[str, typer.Option(help="Height x width of the images, or mixed.")] = ",".join(SIZES),
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients.")] = ",".join(map(str, CLIENTS)),
    rivals: Annotated[str, typer.Option(help=f"From: {FLOOR}, {', '.join(RIVALS)}.")] = ",".join(
        [FLOOR, "grpc", "rest", "rest-map", "paddlex", "paddlex-triton", "litserve"]
    ),
    rounds: Annotated[int, typer.Option(min=1, help="How many turns each rival takes.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a turn, after its warm-up; slow rivals take longer.")] = 8.0,
    docs: Annotated[bool, typer.Option("--docs", help="Also write the tables and the plot into docs/.")] = False,
    earlier: Annotated[
        Path | None,
        typer.Option("--from", exists=True, dir_okay=False, help="Only write the tables of these earlier results."),
    ] = None,
) -> None:
    """Compare the rivals: latency, throughput, memory, processor time and start-up.

    The bench starts every rival's server, warms it up and suspends it; then it loads one server at a time, in turn. It
    compares their answers with the bare network's. It writes each measurement to .bench/results as a line of JSON, and the
    tables beside it.
    """
    try:
        taking_part = chosen(_list(rivals))
        each_size = [Size.of(name) for name in _list(sizes)]
        terms = Terms([int(count) for count in _list(clients)], rounds, seconds)
    except KeyError as error:
        raise typer.BadParameter(f"there is no rival {error}; choose from {FLOOR}, {', '.join(RIVALS)}") from None
    except ValueError as error:
        raise typer.BadParameter(f"--sizes must look like 512x1024, --clients like 1,8: {error}") from None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the child processes, too
    if earlier is not None:
        results = Results.read(earlier)
    else:
        results = Results(RESULTS / f"bench-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}.jsonl")
        results.add(this_machine("bench"))
        for name in _list(model_names):
            _contests(Model(name), each_size, taking_part, terms, results)
    loads = report.of(results.records, Load)
    if not loads:
        console.print("No measurements.")
        raise typer.Exit(1)
    for file in publish(results, report.markdown(results.records), partial(plot.throughputs, loads), "bench", docs=docs):
        console.print(f"Written: {file}")


def _contests(model: Model, sizes: Sequence[Size], rivals: Sequence[Rival], terms: Terms, results: Results) -> None:
    console.print(f"{model.name}: weights and export")
    try:
        model.prepare()
    except Missing as error:
        console.print(f"  Skipping {model.name}: {error}")
        return
    for size in sizes:
        console.print(f"{model.name} at {size.name}")
        Comparison(model, size, rivals, terms, results, console.print).run()


if __name__ == "__main__":
    app(prog_name="make bench")
