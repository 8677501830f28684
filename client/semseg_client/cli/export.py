"""`semseg export`: runs the exporter, which has its own environment."""

from __future__ import annotations

import os

import typer

from ..hosting.exporter import find_exporter

ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def export(arguments: typer.Context) -> None:
    """Export a model's weights into the model repository: semseg-export, with all its options."""
    exporter = find_exporter()
    # Signals and the exit code are the exporter's then.
    os.execv(exporter, [str(exporter), *arguments.args])  # noqa: S606 - there is no shell to do without
