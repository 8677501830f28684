"""Prints tables."""

from __future__ import annotations

from typing import IO

from rich.console import Console
from rich.table import Table

_WIDE = 1000  # columns


def show(table: Table, file: IO[str] | None = None) -> None:
    """Print the table to `file` (default: standard output) with every figure whole, however narrow the terminal. In a log, where
    there is no terminal, rich would cut it at 80 columns."""
    Console(file=file, width=_WIDE, height=_WIDE, highlight=False).print(table)
