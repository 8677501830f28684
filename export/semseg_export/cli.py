"""`semseg-export`: exports a Paddle network into the model repository."""

from __future__ import annotations

import math
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from semseg_contract.official import OFFICIAL

from .errors import ExportError
from .install.placement import Accelerator, Device, Placement
from .options import Engine, ExportOptions, Precision, Request
from .tables import show

if TYPE_CHECKING:
    from .export import Installed

EPILOG = """
[bold]Examples[/]

semseg-export PP-LiteSeg-T                      [dim]official weights[/]

semseg-export all                               [dim]official weights of every network[/]

semseg-export PP-LiteSeg-T --weights out/infer  [dim]your own, exported by PaddleX[/]

semseg-export roads --weights roads.tar --classes roads.txt

semseg-export roads --weights best_model/model.pdparams --architecture SegFormer-B0

semseg-export PP-LiteSeg-T --precision int8 --calibration streets/   [dim]served as PP-LiteSeg-T-int8[/]

semseg-export PP-LiteSeg-T --device gpu
"""

ALL = "all"
REPOSITORY = Path("model_repository")

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console()
complaints = Console(stderr=True)


@app.command(epilog=EPILOG)
def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Name to serve the model under. For official weights: a PaddleX model name, or all."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|TAR|ONNX|PDPARAMS|URL",
            help="Exported network (folder or .tar with inference.yml, deploy.yaml or model.yml), .onnx beside such a file,"
            " trained .pdparams, or a URL of a .tar or .pdparams. Default: MODEL's official archive.",
        ),
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="PaddleX network that the weights are for, if it is not MODEL."),
    ] = None,
    repository: Annotated[Path, typer.Option(help="Model repository to install into.", file_okay=False)] = REPOSITORY,
    agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum share of pixels whose class must match Paddle's.")
    ] = 0.999,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Images like those you will segment, to compare with Paddle on, besides random ones.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="For a network of one channel: pixels with higher scores are foreground, class 1.",
            show_default="0.5 behind a sigmoid, else 0",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File of class names, one per line. Default: those of MODEL's data set."),
    ] = None,
    memory: Annotated[
        float,
        typer.Option(min=0.1, metavar="GB", help="Maximum memory for one run of the network; this limits the image size."),
    ] = 8.0,
    folder_sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="SHA-256 of the weights' folder, stored so that a pipeline can detect changes."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="int8 for CPUs, fp16 for GPUs; served as MODEL-int8 or MODEL-fp16.")
    ] = Precision.FP32,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="For int8: folder of images like those you will segment.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Install int8 or fp16 even if too many pixels change class compared with fp32.")
    ] = False,
    device: Annotated[
        Device | None,
        typer.Option(help="Device to serve MODEL on. Default: its current device, or cpu if MODEL is new; gpu for fp16."),
    ] = None,
    accelerator: Annotated[Accelerator | None, typer.Option(help="Engine to use on the GPU. Needs --device gpu.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="Engine to use on the CPU. auto measures all and takes the fastest that agrees with Paddle.")
    ] = Engine.AUTO,
) -> None:
    """Convert a Paddle segmentation network to ONNX, compare it with Paddle, and install it for Triton."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if model == ALL and (weights or architecture or classes or threshold is not None):
        raise typer.BadParameter(
            f"{ALL} exports official weights only: to pass weights, classes, a threshold or an architecture, name one model"
        )
    if threshold is not None and not math.isfinite(threshold):
        raise typer.BadParameter(f"{threshold} is no threshold: pass a number")
    half = precision is Precision.FP16
    placement = Placement(device or (Device.GPU if half else None), accelerator, half)
    try:
        options = ExportOptions(repository, agreement, memory, precision, calibration, force, placement, images, engine)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        if model == ALL:
            _export_all(options)
        else:
            _export(Request(model, weights or None, architecture, classes, folder_sha256, threshold), options)
    except ModuleNotFoundError as error:
        complaints.print(
            f"[bold red]Export failed:[/] {error.name} is not installed here. Paddle and its converter need their own"
            " environment: run [bold]make export[/], or pip install paddle-semseg-export",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1) from error
    except (ExportError, OSError) as error:
        _complain(error)
        raise typer.Exit(1) from error


def _export(request: Request, options: ExportOptions) -> Installed:
    from .console import ConsoleReporter  # these need Paddle's environment; --help must not
    from .export import export

    reporter = ConsoleReporter(console)
    installed = export(request, options, reporter)
    in_project = options.repository == REPOSITORY and Path("Makefile").is_file()
    serve = (
        f"make serve MODEL={installed.name}"
        if in_project
        else f"semseg serve --model-repository {shlex.quote(str(options.repository))} --model {installed.name}"
    )
    reporter.note(f"Installed [bold]{installed.name}[/], version {installed.version}. Next: [bold]{escape(serve)}[/]")
    return installed


def _complain(error: ExportError | OSError) -> None:
    complaints.print(f"[bold red]Export failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    if isinstance(error, ExportError) and error.detail:
        complaints.print(escape(error.detail), style="dim", highlight=False, soft_wrap=True)


def _export_all(options: ExportOptions) -> None:
    """Export all of PaddleX's networks. If some fail, still export the rest, then exit with 1."""
    results = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("model", "version", "agreement"):
        results.add_column(heading, no_wrap=True)
    results.add_column("error")
    failures = 0
    for model in OFFICIAL:
        console.print(f"\n[bold]{model}[/]", highlight=False)
        try:
            installed = _export(Request(model), options)
            results.add_row(model, str(installed.version), f"{installed.agreement:.4%}")
        except (ExportError, OSError) as error:
            _complain(error)
            results.add_row(model, "", "", f"[red]{escape(str(error))}[/]")
            failures += 1
    show(results)
    if failures:
        complaints.print(f"{failures} of {len(OFFICIAL)} models failed", highlight=False)
        raise typer.Exit(1)


def main() -> None:
    app()
