"""The `semseg` command."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import typer

from ..errors import SemsegError
from . import paddlex
from . import run as batch
from .config import config
from .evaluate import EPILOG, evaluate
from .export import ANYTHING, export
from .key import key
from .models import models
from .predict import EXAMPLES, predict
from .serve import serve
from .setup_export import setup_export

_EXIT_CODES = "Exit codes: 0 {ok}; 1 {failed}; 2 invalid command line."

_OVERVIEW = """
[bold]Examples[/]

semseg predict photos                           [dim]a picture and a JSON file for each image; starts a server[/]

semseg serve                                    [dim]serve all exported models over REST and gRPC[/]

semseg predict photos --url localhost:8001      [dim]the same, on a running server[/]

semseg export PP-LiteSeg-T                      [dim]export official weights to the model repository[/]

semseg setup-export                             [dim]install the exporter, for packages that pip installed[/]

semseg key alice >> keys.yaml                   [dim]create an API key, for serve --api-keys-file keys.yaml[/]

semseg eval data/val.txt                        [dim]measure a model on a data set with ground truth[/]

semseg models --url localhost:8001              [dim]list the served models[/]

semseg config --save-path my_path               [dim]write the default configuration for you to edit[/]

PaddleX's own options also work, without a subcommand:

semseg --pipeline semantic_segmentation --input street.jpg --save_path output
"""

app = typer.Typer(
    help="Semantic segmentation with Paddle's models on Triton.",
    epilog=_OVERVIEW,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=EXAMPLES + batch.EXIT_CODES)(predict)
app.command(
    epilog="Exit codes: 0 stopped by SIGINT or SIGTERM; 1 could not start, or tritonserver died; 2 invalid command line;"
    " 130 interrupted (Ctrl-C) or 143 terminated (SIGTERM) while a model was being exported."
)(serve)
app.command("eval", epilog=EPILOG)(evaluate)
app.command(epilog=_EXIT_CODES.format(ok="models listed", failed="no models found, or the server does not answer"))(models)
app.command(epilog=_EXIT_CODES.format(ok="written, or valid", failed="file exists, cannot be written, or is invalid"))(config)
app.command(epilog=_EXIT_CODES.format(ok="key printed", failed="key could not be printed"))(key)
app.command(context_settings=ANYTHING)(export)
app.command(epilog=_EXIT_CODES.format(ok="set up", failed="could not be set up"))(setup_export)


def main() -> None:
    """Run the command. A SemsegError is printed on one line, or on one line per mistake."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid UTF-8
    try:
        if paddlex.spoken(sys.argv[1:]):
            paddlex.main(sys.argv[1:])
        else:
            app()
    except SemsegError as error:
        sys.exit(f"semseg: {error}")
    except typer.BadParameter as error:  # from PaddleX's options: Typer handles the subcommands' own errors
        error.show()
        sys.exit(error.exit_code)
    except typer.Exit as end:
        sys.exit(end.exit_code)


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream the caller closed (`<&-`, `>&-`), so that no other file gets its descriptor."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - it stays open
