"""`make chaos`: everything fails at once, and no request may be lost or get a wrong answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.support import ROOT

from .report import as_json, table
from .run import chaos


def main(
    seconds: Annotated[float, typer.Option(min=10, help="How long to inject faults.")] = 600.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same faults.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures to this file.", show_default=False)
    ] = None,
) -> None:
    """Put the service under load, send damaged requests, kill and stop processes and fill memory, then report the result."""
    console = Console(highlight=False, soft_wrap=True)
    verdict = chaos(ROOT / "model_repository", seconds, seed, console)
    console.print("\n".join(table(verdict)))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(verdict), indent=1))
    sys.exit(0 if verdict.good else 1)


if __name__ == "__main__":
    typer.run(main)
