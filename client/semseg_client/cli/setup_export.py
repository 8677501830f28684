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
    renew: Annotated[bool, typer.Option("--renew", help="Set it up anew, even if it is there.")] = False,
) -> None:
    """Set up what exporting needs, once: Paddle and its converter (1.5 GB), in an environment of their own."""
    if exporter_environment.set_up(find_links, typer.echo, renew=renew):
        typer.echo("Models can be exported now: semseg export PP-LiteSeg-T, or use one by its name")
    else:
        typer.echo(f"The exporter is already set up in {exporter_environment.place()}; to set it up anew: --renew")
