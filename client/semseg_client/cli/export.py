"""`semseg export`: runs the exporter, which has its own environment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from semseg_contract.names import plain_name
from semseg_contract.official import OFFICIAL

from ..errors import ServingError
from ..hosting.exporter import find_exporter
from ..hosting.repository import add_shared_models

ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def export(arguments: typer.Context, repository: Annotated[Path, typer.Option()] = Path("model_repository")) -> None:
    """Export a model's weights into the model repository. Accepts all options of semseg-export."""
    exporter = find_exporter()
    if _may_install(arguments.args):
        try:
            add_shared_models(repository)
        except OSError as error:
            raise ServingError(f"{error.filename or repository}: {error.strerror}") from None
    # The exporter replaces this process: it receives the signals and sets the exit code.
    os.execv(exporter, [str(exporter), *arguments.args, "--repository", str(repository)])  # noqa: S606 - no shell is involved


def _may_install(arguments: Sequence[str]) -> bool:
    """Whether there are weights to export: the exporter refuses a mistyped name, which should leave no repository behind."""
    given = any(plain_name(each) in (*OFFICIAL, "all") or each.startswith("--weights") for each in arguments)
    return given and "--help" not in arguments
