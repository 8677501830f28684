"""The `semseg` command."""

from __future__ import annotations

import sys

import typer

from .commands import paddlex
from .commands.predict import predict
from .commands.serve import SETTINGS, serve
from .errors import SemsegError

_EXIT_CODES = "Exit codes: 0 {ok}; 1 {failed}; 2 the command line is wrong."

app = typer.Typer(
    help="Semantic segmentation with Paddle's models on Triton. PaddleX's options work without a subcommand, too:"
    " semseg --pipeline semantic_segmentation --input street.jpg --save_path output.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(epilog=_EXIT_CODES.format(ok="all images were segmented", failed="one or more were not"))(predict)
app.command(
    epilog=SETTINGS + _EXIT_CODES.format(ok="stopped by SIGINT or SIGTERM", failed="it could not start, or tritonserver died")
)(serve)


def main() -> None:
    """Run the command; what this package raises is told in a line, or a line for each mistake."""
    try:
        if paddlex.spoken(sys.argv[1:]):
            paddlex.main(sys.argv[1:])
        else:
            app()
    except SemsegError as error:
        sys.exit(f"semseg: {error}")
    except typer.Exit as end:
        sys.exit(end.exit_code)
