"""`semseg predict`: segments images, and saves and reports each result."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO, Annotated

import typer

from ..inputs.resolve import Item, Sieve, Source, Unreadable, items
from ..inputs.servable import FEWEST_BITS, MOST_BITS
from ..inputs.source import from_bytes
from ..pipeline.config import PIPELINE
from ..pipeline.pipeline import create_pipeline
from ..results.outputs import PADDLEX, Output
from . import options, reports
from . import run as batch
from .destinations import OneFile, StandardOutput, only_image, output_of
from .journal import Made
from .output_folder import OutputFolder

EXAMPLES = """
[bold]Examples[/]

semseg predict street.jpg                                      [dim]a picture and a JSON file in output[/]

semseg predict photos --save overlay --save ids --resume       [dim]a folder, resumed where it stopped[/]

find . -name '*.png' | semseg predict --from-file - --json-lines

curl -s https://example.org/street.jpg | semseg predict - --save-path - > picture.png

"""


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Image, PDF or video files, folders, glob patterns or URLs; - for an image on standard input.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            metavar="LIST|-",
            help="File with one input per line; - for standard input, processed as lines arrive.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
    pipeline: options.PipelineFile = None,
    url: options.Url = None,
    model_repository: options.ModelRepository = None,
    device: options.Device = None,
    save_path: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Folder for the files; for a single image also a file (.jpg, .png, ..., .json), or - for standard output.",
        ),
    ] = "output",
    save: Annotated[
        list[Output] | None,
        typer.Option(help="Kind of file to save; may be repeated.", show_default="picture and json"),
    ] = None,
    compact: Annotated[bool, typer.Option("--compact", help="Write JSON files without white space.")] = False,
    target_size: options.TargetSize = None,
    bits: Annotated[
        int | None,
        typer.Option(
            min=FEWEST_BITS,
            max=MOST_BITS,
            help="Bits that the 16-bit samples of PNG, TIFF and PNM images really have: scale them to 8 bits.",
            show_default="16, as in PaddleX",
        ),
    ] = None,
    jobs: options.Jobs = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip images already done with the same input, model and options, if their result files are unchanged.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 if images in a folder or pattern were passed over: GIF, JPEG 2000, ..."),
    ] = False,
    json_lines: Annotated[bool, typer.Option("--json-lines", help="Print one line of JSON per image.")] = False,
) -> None:
    """Segment images. For each, save NAME_res.jpg (with the image's own suffix) and NAME_res.json, or what --save selects."""
    if not inputs and from_file is None:
        raise typer.BadParameter("no input: pass a file, a folder, a glob pattern, a URL, or --from-file", param_hint="INPUT")
    to_stdout = save_path == "-"
    if to_stdout and (resume or json_lines):
        raise typer.BadParameter("'-' cannot be combined with --resume or --json-lines", param_hint="--save-path")
    if to_stdout and save is not None and len(save) > 1:
        raise typer.BadParameter("--save-path - allows only one kind of file", param_hint="--save")
    if from_file is not None and "-" in (inputs or ()) and from_file is sys.stdin.buffer:
        raise typer.BadParameter("standard input can be an image or a list, not both", param_hint="--from-file")
    batch.check_packages()
    one_file = None if to_stdout else output_of(save_path, "--save-path", save)
    if one_file is not None and (resume or (save is not None and len(save) > 1)):
        told = f"'{save_path}' is a file, and cannot be combined with --resume or several kinds of files: pass a folder"
        raise typer.BadParameter(told, param_hint="--save-path")
    to_folder = not to_stdout and one_file is None
    outputs = list(dict.fromkeys(save or (PADDLEX if to_folder else [one_file or Output.PICTURE])))
    sieve = Sieve()
    with batch.ended_in_a_line(batch.RESUME if to_folder else None), ExitStack() as held:
        given = _items(inputs or [], from_file, sieve)
        if not to_folder:
            given = only_image(given, Path(save_path), "--save-path")
        if model is None and pipeline is None:
            model = batch.only_model(url, model_repository or Path("model_repository"))
        opened = held.enter_context(
            create_pipeline(pipeline or PIPELINE, device, model=model, url=url, repository=model_repository, jobs=jobs)
        )
        size = batch.target_size_of(opened, target_size)
        destination: batch.Destination
        if to_stdout:
            destination = StandardOutput(*outputs, compact=compact)
        elif one_file is not None:
            destination = OneFile(Path(save_path), one_file, compact=compact)
        else:
            made = Made.by(opened.model, size, outputs, compact=compact, bits=bits)
            known = given if isinstance(given, list) else []
            destination = held.enter_context(OutputFolder(Path(save_path), made, resume=resume, inputs=known))
        report = reports.JsonLines() if json_lines else reports.Silent() if to_stdout else reports.Lines()
        picture = Output.PICTURE in outputs
        batch.run(opened, given, destination, report, size, sieve=sieve, picture=picture, bits=bits, strict=strict)


def _items(inputs: list[str], from_file: IO[bytes] | None, sieve: Sieve) -> Iterable[Item]:
    """The items: a list, unless some come from `from_file`."""
    named = chain.from_iterable(_stdin() if each == "-" else items(each, sieve) for each in inputs)
    return list(named) if from_file is None else chain(named, items(_lines(from_file), sieve))


def _stdin() -> Iterator[Source | Unreadable]:
    return from_bytes(sys.stdin.buffer.read(), "-", "stdin")


def _lines(stream: IO[bytes]) -> Iterator[str]:
    for line in stream:
        if name := os.fsdecode(line.rstrip(b"\r\n")):
            yield name
