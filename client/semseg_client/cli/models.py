"""`semseg models`: lists models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from semseg_contract.limits import MEGAPIXEL

from ..errors import ServingError
from ..hosting.repository import configuration, exported_models
from ..triton.client import Client
from ..triton.protocol import described
from ..types import Model


def models(
    url: Annotated[
        str | None,
        typer.Option(
            help="List the models served by the tritonserver at this gRPC address.", envvar="SEMSEG_URL", show_default=False
        ),
    ] = None,
    model_repository: Annotated[Path, typer.Option(help="Without --url: list the models exported to this repository.")] = Path(
        "model_repository"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the exported models, or those that a server serves. To list PaddleX's twenty networks, run make models."""
    found = _exported(model_repository) if url is None else _served(url)
    if as_json:
        typer.echo(json.dumps([asdict(model) for model in found], indent=2))
    else:
        # Wider than any table: in a log or on a narrow terminal, rich would cut off figures.
        Console(width=1000, height=1000, highlight=False).print(_table(found))


def _served(url: str) -> list[Model]:
    with Client(url) as client:
        return client.models()


def _exported(repository: Path) -> list[Model]:
    names = exported_models(repository)
    if not names:
        raise ServingError(f"no model in {repository}; export one: semseg export PP-LiteSeg-T")
    configs = [configuration(repository, name) for name in names]
    return [described(config, ", ".join(map(str, config.version_policy.specific.versions))) for config in configs]


def _table(found: Sequence[Model]) -> Table:
    rows = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    rows.add_column("model", no_wrap=True)
    rows.add_column("version", justify="right")
    rows.add_column("classes", justify="right")
    rows.add_column("megapixels", justify="right")
    rows.add_column("agreement", justify="right")
    rows.add_column("exported", no_wrap=True)
    rows.caption = "megapixels: largest image accepted without a target size, in units of 2^20 pixels"
    for model in found:
        rows.add_row(
            model.name,
            model.version,
            str(len(model.class_names)),
            "" if model.max_pixels is None else f"{model.max_pixels / MEGAPIXEL:g}",
            "not compared" if model.agreement is None else f"{model.agreement:.4%}",
            (model.exported_at or "").partition("T")[0],
        )
    return rows
