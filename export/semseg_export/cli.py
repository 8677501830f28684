"""`semseg-export`: a Paddle network into the model repository."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from semseg_contract.limits import MEGAPIXEL
from semseg_contract.names import ANY_DEVICE, CONFIG, CPU_ONLY, network_of, plain_name
from semseg_contract.palette import palette
from semseg_contract.record import ModelRecord

from .errors import ExportError
from .install.placement import Accelerator, Device, Placement
from .options import Precision, Wanted

EPILOG = """
[bold]Examples[/]

semseg-export PP-LiteSeg-T                      [dim]official weights[/]

semseg-export all                               [dim]those of every network[/]

semseg-export PP-LiteSeg-T --weights out/infer  [dim]your own, as PaddleX exports[/]

semseg-export roads --weights roads.tar --classes roads.txt

semseg-export roads --weights best_model/model.pdparams --architecture SegFormer-B0

semseg-export PP-LiteSeg-T --precision int8 --calibration streets/   [dim]as PP-LiteSeg-T-int8[/]

semseg-export PP-LiteSeg-T --device gpu
"""

ALL = "all"

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
console = Console()
complaints = Console(stderr=True)


@app.command(epilog=EPILOG)
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name to serve it by; PaddleX's own for its weights, or all.")],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|TAR|PDPARAMS|URL",
            help="Where inference.json or inference.pdmodel is, or trained weights. Without it, the official archive of MODEL.",
        ),
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="PaddleX's network that .pdparams were trained from, if not MODEL.")
    ] = None,
    repository: Annotated[Path, typer.Option(help="The model repository.", file_okay=False)] = Path("model_repository"),
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of pixels that must get the class that Paddle gives them.")
    ] = 0.999,
    classes: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Class names, one a line. Without it, those of MODEL's data set."),
    ] = None,
    memory: Annotated[
        float, typer.Option(min=0.1, metavar="GB", help="What one run of the network may take: it limits the size of images.")
    ] = 8.0,
    folder_sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="Kept with the version, for whoever exports anew what has changed.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="int8 for CPUs, fp16 for GPUs; served as MODEL-int8, MODEL-fp16.")
    ] = Precision.FP32,
    calibration: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Images like those to come, to quantise by: for int8.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Install int8 or fp16 even if too many pixels get another class than in fp32.")
    ] = False,
    device: Annotated[
        Device | None,
        typer.Option(help="Where to serve it. Without it: where MODEL is served now, or, if it is new, the CPU (fp16: the GPU)."),
    ] = None,
    accelerator: Annotated[Accelerator | None, typer.Option(help="What runs it on the GPU: needs --device gpu.")] = None,
) -> None:
    """Convert a Paddle segmentation network to ONNX, compare it with Paddle, and install it for Triton."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if model == ALL and (weights or architecture or classes):
        raise typer.BadParameter(f"{ALL} takes official weights only: name one model to give it weights, classes or architecture")
    half = precision is Precision.FP16
    placement = Placement(device or (Device.GPU if half else None), accelerator, half)
    try:
        wanted = Wanted(repository, threshold, memory, precision, calibration, force, placement)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        if model == ALL:
            _export_all(wanted)
        else:
            _export(model, weights or None, architecture, classes, wanted, folder_sha256)
    except ModuleNotFoundError as error:
        complaints.print(
            f"[bold red]Export failed:[/] {error.name} is not installed here. Paddle and its converter have an environment of"
            " their own: run [bold]make export[/], or pip install 'paddle-semseg-triton\\[export]'",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1) from error
    except (ExportError, OSError) as error:
        _complain(error)
        raise typer.Exit(1) from error


def _complain(error: ExportError | OSError) -> None:
    complaints.print(f"[bold red]Export failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    if isinstance(error, ExportError) and error.detail:
        complaints.print(escape(error.detail), style="dim", highlight=False, soft_wrap=True)


def _export_all(wanted: Wanted) -> None:
    """Export every network of PaddleX; one that fails does not stop the rest, but makes the exit code 1."""
    from .weights import zoo

    results = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("model", "version", "as Paddle"):
        results.add_column(heading, no_wrap=True)
    results.add_column("what went wrong", overflow="fold")
    failures = 0
    for model in zoo.MODELS:
        console.print(f"\n[bold]{model}[/]", highlight=False)
        try:
            version_number, agreement = _export(model, None, None, None, wanted)
            results.add_row(model, str(version_number), f"{agreement:.4%}")
        except (ExportError, OSError) as error:
            _complain(error)
            results.add_row(model, "", "", f"[red]{escape(str(error))}[/]")
            failures += 1
    console.print(results)
    if failures:
        complaints.print(f"{failures} of {len(zoo.MODELS)} models failed", highlight=False)
        raise typer.Exit(1)


def _export(
    model: str,
    given: str | None,
    architecture: str | None,
    class_file: Path | None,
    wanted: Wanted,
    folder_sha256: str | None = None,
) -> tuple[int, float]:
    """Returns the installed version and its agreement with Paddle, 0 to 1."""
    from .checks import memory, parity
    from .conversion import convert, graph
    from .conversion.cpu_layout import laid_out
    from .install import repository as entries
    from .install.configuration import network_config
    from .precision import calibration, fidelity, lowering
    from .progress import step
    from .weights import classes
    from .weights import locate as weights

    if model != plain_name(model):
        model = plain_name(model)
        console.print(f'"(slice)" is no part of the name: exporting [bold]{escape(model)}[/]')
    # A name of the caller's own, given besides the network's, is taken as it is.
    name = model if architecture or wanted.precision is Precision.FP32 else f"{model}-{wanted.precision.value}"
    entries.check_name(name)
    images = None if wanted.calibration is None else calibration.find(wanted.calibration)
    with TemporaryDirectory(prefix="semseg-export-") as folder:
        workspace = Path(folder)
        with step(console, "Weights") as running:
            found = weights.find(model, given, workspace, running.show, architecture)
            pixels = (
                f"pixels as {found.described_by} tells" if found.described_by else "pixels as PaddleX's own: no inference.yml"
            )
            running.done = f"{found.source} (SHA-256 {found.sha256[:12]}…), {pixels}"
        with step(console, "Conversion") as running:
            network = convert.to_onnx(found.archive, workspace)
            running.done = f"{found.archive.program.name} to ONNX, {len(network.graph.node)} nodes"
        with step(console, "Graph") as running:
            served, count = graph.served_graph(network, found.archive.normalisation)
            names = classes.class_names(model if given or not architecture else architecture, count, class_file)
            twin = laid_out(served)
            running.done = f"uint8 pixels to uint8 ids, {count} classes, {len(served.graph.node)} nodes"
        with step(console, "Comparison") as running:
            agreements = parity.measure(served, found.archive, workspace, twin)
            agreement = parity.lowest(agreements)
            running.done = f"{agreement:.4%} of the pixels as Paddle, at least"
        console.print(parity.table(agreements))
        parity.require(agreements, wanted.threshold)
        lowered = None
        if wanted.precision is not Precision.FP32:
            with step(console, "Precision") as running:
                if images is None:
                    lowered = lowering.to_half(served)
                else:
                    prepare = calibration.preparation(found.archive.resize, wanted.repository)
                    lowered = lowering.to_int8(served, images, prepare, workspace, running.show)
                running.done = f"{wanted.precision.value}, {lowered.fidelity.equal:.4%} of the pixels as in fp32"
            served, twin = lowered.model, lowered.twin
            console.print(fidelity.table(lowered.fidelity, wanted.precision.value))
            if not wanted.force:
                fidelity.require(lowered.fidelity, wanted.precision.value)
        files = {ANY_DEVICE: served.SerializeToString()}
        if twin is not None:
            files[CPU_ONLY] = twin.SerializeToString()
        present = wanted.repository / network_of(name) / CONFIG
        chosen = network_config(name, 1, files, wanted.placement, present).default_model_filename
        content = files.get(chosen, files[ANY_DEVICE])  # the owner may have named another file
        with step(console, "Memory") as running:
            taken = memory.measure(content, workspace)
            limit = memory.limit(taken, wanted.memory * 1e9, found.archive.resize)
            running.done = f"{taken.slope / 1e9:.2g} GB a megapixel: {wanted.memory:g} GB admit images of {limit} megapixels"
        with step(console, "Installation") as running:
            record = ModelRecord(
                class_names=tuple(names),
                palette=palette(count),
                max_pixels=limit * MEGAPIXEL,
                memory=taken,
                source=found.source,
                source_sha256=found.sha256,
                converter=f"paddle2onnx {version('paddle2onnx')}",
                exported_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                agreement=agreement,
                comparison=[asdict(each) for each in agreements],
                precision=wanted.precision.value,
                fidelity=None if lowered is None else asdict(lowered.fidelity),
                calibration=None if lowered is None else lowered.calibration,
                resize=found.archive.resize,
                folder_sha256=folder_sha256,
            )
            number = entries.install(wanted.repository, name, files, record, wanted.placement)
            file = wanted.repository / network_of(name) / str(number) / chosen
            running.done = f"{file}, {len(content) / 1e6:.1f} MB"
    console.print(
        f"Installed [bold]{name}[/], version {number}. Next: [bold]make serve MODEL={name}[/]", highlight=False, soft_wrap=True
    )
    return number, agreement


def main() -> None:
    app()
