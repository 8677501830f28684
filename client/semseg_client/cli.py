"""The `semseg` command."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from . import paddlex_cli
from .client import Client
from .conversation import LONGEST_SIDE, TINY_IMAGE
from .errors import SemsegError
from .files import write_whole
from .pipeline import Failed, Pipeline
from .pipeline_config import PipelineConfig

if TYPE_CHECKING:
    from .result import Result
    from .serving import Addresses

app = typer.Typer(
    help="Semantic segmentation with Paddle's models on Triton. PaddleX's options work without a subcommand, too:"
    " semseg --pipeline semantic_segmentation --input street.jpg --save_path output.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_SETTINGS = (
    "Environment: SEMSEG_TIMEOUT, seconds that an inference may take before the answer is 504 (60);"
    " SEMSEG_MAX_BODY_BYTES, largest request body (67108864). "
)
_EXIT_CODES = "Exit codes: 0 {ok}; 1 {failed}; 2 the command line is wrong."


def main() -> None:
    """Run the command; what this package raises is told in a line, or a line for each mistake."""
    try:
        if paddlex_cli.spoken(sys.argv[1:]):
            paddlex_cli.main(sys.argv[1:])
        else:
            app()
    except SemsegError as error:
        sys.exit(f"semseg: {error}")
    except typer.Exit as end:
        sys.exit(end.exit_code)


@app.command("predict", epilog=_EXIT_CODES.format(ok="all images were segmented", failed="one or more were not"))
def predict_command(
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
    _make_folder(save_path, "--save-path")
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


@app.command(
    "serve",
    epilog=_SETTINGS + _EXIT_CODES.format(ok="stopped by SIGINT or SIGTERM", failed="it could not start, or tritonserver died"),
)
def serve_command(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model to load; may be given again, REST answers with the first.", show_default="all exported"),
    ] = None,
    model_repository: Annotated[Path, typer.Option(help="Triton's model repository.")] = Path("model_repository"),
    host: Annotated[str | None, typer.Option(help="REST address (SEMSEG_HOST).", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="REST port (SEMSEG_PORT); 0: a free one.", show_default="8080")
    ] = None,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's gRPC port; 0: a free one.")] = 8001,
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's HTTP port; 0: a free one.")] = 8000,
    metrics_port: Annotated[int, typer.Option(min=0, max=65535, help="Triton's metrics port; 0: a free one.")] = 8002,
    url: Annotated[
        str | None,
        typer.Option(help="REST in front of this running tritonserver (SEMSEG_URL); none is started.", show_default=False),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="While requests are served, this file holds the addresses in JSON.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every line of tritonserver's log, and each request.")] = False,
) -> None:
    """Start tritonserver and the REST gateway, until a signal comes."""
    try:
        from pydantic import ValidationError

        from .gateway import Settings
        from .repository import exported_models, plain_name
        from .serving import serve
        from .triton_process import TritonProcess
    except ModuleNotFoundError as error:
        sys.exit(f"semseg: serving needs {error.name}: pip install 'paddle-semseg-triton[gateway]'")

    given: dict[str, Any] = {"host": host, "port": port, "url": url, "model": model[0] if model else None}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = [f"SEMSEG_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()]
        raise typer.BadParameter("; ".join(wrong)) from None

    triton = None
    if "url" not in settings.model_fields_set:
        asked = model or ([settings.model] if settings.model else exported_models(model_repository))
        models = list(dict.fromkeys(map(plain_name, asked)))
        if plain := [name for name in models if name not in asked]:
            typer.echo(f'"(slice)" is no part of a name: serving {", ".join(plain)}')
        settings = settings.model_copy(update={"model": models[0]})
        triton = TritonProcess(
            model_repository,
            models,
            grpc_port=grpc_port,
            http_port=http_port,
            metrics_port=metrics_port,
            on_line=typer.echo if verbose else None,
        )
        typer.echo(f"Starting tritonserver with {', '.join(models)}")

    def announce(addresses: Addresses) -> None:
        typer.echo(_announcement(addresses, settings.model))
        if ready_file is not None:
            write_whole(ready_file, json.dumps(asdict(addresses)).encode())

    if ready_file is not None:
        _make_folder(ready_file.parent, "--ready-file")
    try:
        serve(settings, triton, announce, typer.echo, access_log=verbose)
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def _make_folder(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}", param_hint=option) from None


def _report(found: Result, picture: Path, label_map: Path) -> str:
    height, width = found.size
    classes = "\n".join(f"  {each.share:7.2%}  {each.name}" for each in found.classes)
    return f"{found.input_path} ({width}x{height}) -> {picture}, {label_map}\n{classes}"


def _announcement(addresses: Addresses, model: str | None) -> str:
    lines = [
        f"REST     {addresses.rest}/semantic-segmentation, described at {addresses.rest}/docs",
        f"Model    {model or 'the one that is served'}",
        f"gRPC     {addresses.grpc}",
    ]
    if addresses.http is not None:
        lines += [f"HTTP     {addresses.http}", f"Metrics  {addresses.metrics}"]
    body = json.dumps({"image": b64encode(TINY_IMAGE).decode()})
    lines.append(f"Try      curl -s {addresses.rest}/semantic-segmentation -d '{body}'")
    return "\n".join(lines)
