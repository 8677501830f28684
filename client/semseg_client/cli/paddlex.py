"""PaddleX's command line, as `semseg`: `semseg --pipeline semantic_segmentation --input street.jpg --device cpu`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ..device import Device
from ..errors import ConfigurationError
from ..inputs.resolve import Item, Sieve, items
from ..inputs.servable import FEWEST_BITS, MOST_BITS
from ..pipeline.config import PIPELINE, load
from ..pipeline.pipeline import create_pipeline
from ..results.outputs import PADDLEX
from . import reports
from . import run as batch
from .config import write
from .destinations import NoFiles, OneFile, only_image, output_of
from .journal import Made
from .output_folder import OutputFolder
from .serve import read_settings, start

_EPILOG = """
examples, as in PaddleX's tutorial:
  semseg --pipeline semantic_segmentation --input street.jpg --device cpu --save_path output
  semseg --get_pipeline_config semantic_segmentation --save_path my_path
  semseg --pipeline my_path/semantic_segmentation.yaml --input street.jpg
  semseg --serve --pipeline semantic_segmentation --port 8080

exit codes: 0 success; 1 something failed (see the message); 2 the command line is wrong; 130 interrupted (Ctrl-C); 141 broken
pipe; 143 terminated (SIGTERM)
"""


def spoken(arguments: Sequence[str]) -> bool:
    """Whether these arguments are PaddleX's: options without a subcommand."""
    return bool(arguments) and arguments[0].startswith("--") and arguments[0] != "--help"


def main(arguments: Sequence[str]) -> None:
    """Do what PaddleX would do with these arguments.

    Raises:
        SemsegError: see `create_pipeline` and `Pipeline.attempt`.
        typer.Exit: an image failed.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.get_pipeline_config is not None:
        if given.get_pipeline_config != PIPELINE:
            raise ConfigurationError(f"there is no pipeline {given.get_pipeline_config!r}; only {PIPELINE} is supported")
        write(Path(given.save_path or "."))
    elif given.pipeline is None:
        parser.error("--pipeline is missing: pass semantic_segmentation, or the path of a configuration file")
    elif given.serve:
        _serve(given)
    elif given.input is None:
        parser.error("--input is missing: pass an image file, a URL, a folder or a glob pattern")
    else:
        _predict(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="semseg",
        description="Semantic segmentation with PaddleX's options. For the subcommands, see semseg --help.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--pipeline", metavar="NAME|FILE", help="semantic_segmentation, or the path of a YAML file in PaddleX's format or ours")
    add("--input", metavar="PATH|URL", help="an image, PDF or video file, a URL, a folder or a glob pattern")
    add(
        "--save_path",
        metavar="PATH",
        help="folder for pictures and JSON files; for one image also a file, .jpg (or another picture) or .json; with"
        " --get_pipeline_config, where to write the configuration",
    )
    add("--device", help="device for the network if this command starts a server: cpu, gpu, gpu:0, gpu:0,1")
    add(
        "--target_size",
        type=int,
        metavar="PIXELS",
        help="scale each image to fit into a square of this size before the network sees it",
    )
    add(
        "--bits",
        type=int,
        choices=range(FEWEST_BITS, MOST_BITS + 1),
        metavar="BITS",
        help="bits that the 16-bit samples of PNG, TIFF and PNM images really have: scale them to 8 bits (default: 16)",
    )
    add(
        "--model",
        metavar="NAME|FOLDER",
        help="exported or served model, PaddleX network (fetched and exported on first use) or ./FOLDER of weights,"
        " to use instead of the pipeline's",
    )
    add(
        "--model_repository",
        metavar="FOLDER",
        help="model repository if this command starts a server (default: model_repository)",
    )
    add(
        "--url",
        metavar="HOST:PORT",
        help="use the running tritonserver at this gRPC address instead of starting one (SEMSEG_URL)",
    )
    add("--get_pipeline_config", metavar="NAME", help="write this pipeline's default configuration for you to edit")
    add("--serve", action="store_true", help="serve over REST until stopped by a signal")
    add("--host", help="REST address (default: 127.0.0.1)")
    add("--port", type=int, help="REST port (default: 8080)")
    for ignored in ("--use_hpip", "--update_license"):
        add(ignored, action="store_true", help=argparse.SUPPRESS)
    for ignored in ("--serial_number", "--hpi_config", "--engine"):
        add(ignored, help=argparse.SUPPRESS)
    return parser


def _predict(given: argparse.Namespace) -> None:
    path = None if given.save_path is None else Path(given.save_path)
    batch.check_packages()
    output = None if path is None else output_of(given.save_path, "--save_path")
    sieve = Sieve()
    with batch.ended_in_a_line(batch.RESUME if path is not None and output is None else None), ExitStack() as held:
        images: Iterable[Item] = list(items(given.input, sieve))
        if path is not None and output is not None:
            images = only_image(images, path, "--save_path")
        pipeline = held.enter_context(
            create_pipeline(given.pipeline, given.device, model=given.model, url=given.url, repository=given.model_repository)
        )
        size = batch.target_size_of(pipeline, given.target_size)
        destination: batch.Destination = NoFiles()
        if path is not None and output is not None:
            destination = OneFile(path, output)
        elif path is not None:
            made = Made.by(pipeline.model, size, PADDLEX, bits=given.bits)
            destination = held.enter_context(OutputFolder(path, made, inputs=images))
        batch.run(pipeline, images, destination, reports.PaddleX(), size, sieve=sieve, bits=given.bits)


def _serve(given: argparse.Namespace) -> None:
    config = load(given.pipeline)
    url = given.url or config.url or os.environ.get("SEMSEG_URL")
    start(
        read_settings({"host": given.host, "port": given.port, "url": url}, config.serving.given()),
        [config.model if given.model is None else given.model],
        Path(given.model_repository or config.repository or "model_repository"),
        architecture=config.architecture,
        device=config.device if given.device is None else Device.parse(given.device),
    )
