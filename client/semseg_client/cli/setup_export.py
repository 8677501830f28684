"""`semseg setup-export`: sets up the environment in which models are exported."""

from __future__ import annotations

from typing import Annotated

import typer

from ..hosting import exporter_environment


def setup_export(
    find_links: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|URL",
            help="Where to find this project's own wheels (make dist) if they are not in pip's index.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Set up what exporting needs, once: Paddle and its converter (1.5 GB), in an environment of their own."""
    typer.echo(f"Setting up the exporter in {exporter_environment.place()}: Paddle and its converter, 1.5 GB, a few minutes")
    exporter_environment.set_up(find_links)
    typer.echo("Models can be exported now: semseg export PP-LiteSeg-T, or use one by its name")
