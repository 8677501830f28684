"""Creates a folder given as an option."""

from __future__ import annotations

from pathlib import Path

import typer


def make_folder(folder: Path, option: str) -> None:
    """Create the folder. If that fails, report a bad value for `option`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}", param_hint=option) from None
