"""A folder that an option names."""

from __future__ import annotations

from pathlib import Path

import typer


def make_folder(folder: Path, option: str) -> None:
    """Create the folder, or report that the value of `option` is wrong."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}", param_hint=option) from None
