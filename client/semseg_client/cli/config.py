"""`semseg config`: writes a pipeline's configuration for editing, or checks one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from ..files import write_whole
from ..pipeline.config import PIPELINE, default_text, load


def config(
    save_path: Annotated[
        Path, typer.Option(help="Folder or .yaml file to write to, or - for standard output. Never overwrites a file.")
    ] = Path(),
    check: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Check this file instead, and report each mistake with its line number.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the default pipeline configuration for you to edit, or check a file in PaddleX's format or ours."""
    if check is not None:
        for note in load(check).notes:
            typer.echo(note)
        typer.echo(f"{check} is valid")
    elif save_path == Path("-"):
        typer.echo(default_text(), nl=False)
    else:
        write(save_path)


def write(save_path: Path) -> None:
    """Write the built-in configuration into a folder, or to `save_path` itself if it ends in .yaml.

    Raises:
        ConfigurationError: the file already exists, or cannot be written.
    """
    path = save_path if save_path.suffix in (".yaml", ".yml") else save_path / f"{PIPELINE}.yaml"
    try:
        if path.exists():
            raise ConfigurationError(f"{path} already exists: remove it, or choose another --save_path")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, default_text().encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    typer.echo(f"Wrote the pipeline's configuration to {path}")
