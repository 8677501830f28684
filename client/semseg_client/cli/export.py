"""`semseg export`: runs the exporter, which has its own environment."""

from __future__ import annotations

import os

import typer

from ..hosting.exporter import find_exporter

ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def export(arguments: typer.Context) -> None:
    """Export a model's weights into the model repository. Accepts all options of semseg-export."""
    exporter = find_exporter()
    # The exporter replaces this process: it receives the signals and sets the exit code.
    os.execv(exporter, [str(exporter), *arguments.args])  # noqa: S606 - no shell is involved
