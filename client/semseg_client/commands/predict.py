"""`semseg predict`: a picture and a JSON file for each image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ..client import Client
from ..conversation import LONGEST_SIDE
from ..pipeline import Failed, Pipeline
from ..pipeline_config import PipelineConfig
from .folder import make_folder

if TYPE_CHECKING:
    from ..result import Result


def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Images, PDF or video files, folders, patterns, URLs.", show_default=False),
    ],
    model: Annotated[str | None, typer.Option(help="Served model; may be left out if there is one.", show_default=False)] = None,
    url: Annotated[str, typer.Option(help="tritonserver's gRPC address.", envvar="SEMSEG_URL")] = "localhost:8001",
    save_path: Annotated[Path, typer.Option(help="Folder for the pictures and the JSON files.")] = Path("output"),
    target_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LONGEST_SIDE,
            help="Scale each image to fit this many pixels before the network sees it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Segment images: NAME_res.jpg (or as the image's own suffix is) and NAME_res.json for each."""
    console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn("Segmenting"), SpinnerColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Client(url) as client:
        chosen = client.model(model).name
    make_folder(save_path, "--save-path")
    failures, count = [], 0
    with (
        Pipeline(PipelineConfig(chosen, url=url)) as pipeline,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        for outcome in progress.track(pipeline.attempt(inputs, target_size)):
            count += 1
            if isinstance(outcome, Failed):
                failures.append(str(outcome))
                continue
            try:
                console.print(_report(outcome, *outcome.save_all(save_path)), markup=False)
            except OSError as error:
                failures.append(f"{outcome.input_path}: cannot write into {save_path}: {error.strerror}")
    if failures:
        typer.echo(f"{len(failures)} of {count} images failed:", err=True)
        for failure in failures:
            typer.echo(f"  {failure}", err=True)
        raise typer.Exit(1)


def _report(found: Result, picture: Path, label_map: Path) -> str:
    height, width = found.size
    classes = "\n".join(f"  {each.share:7.2%}  {each.name}" for each in found.classes)
    return f"{found.input_path} ({width}x{height}) -> {picture}, {label_map}\n{classes}"
