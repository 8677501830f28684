"""`python -m semseg_export.models`: lists PaddleX's networks, and shows which are in a model repository."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from semseg_contract.names import CONFIG, model_of, network_of
from semseg_contract.official import OFFICIAL

from .errors import RepositoryError
from .install.configuration import read
from .install.repository import Versions, versions
from .tables import show
from .weights import zoo


@dataclass(frozen=True)
class Exported:
    """A model in the repository: its versions and how well the served one agrees with Paddle, or its `problem`."""

    versions: Versions | None
    agreement: float
    problem: str = ""


def exported(repository: Path) -> dict[str, Exported]:
    """The models in `repository`, by name."""
    found = {}
    for entry in sorted(repository.glob(f"{network_of('*')}/{CONFIG}")):
        model = model_of(entry.parent.name)
        if (repository / model / CONFIG).is_file():
            try:
                agreement = read(repository / model / CONFIG).parameters["agreement"].string_value
                found[model] = Exported(versions(repository, model), float(agreement or "nan"))
            except RepositoryError as error:
                found[model] = Exported(None, float("nan"), str(error))
    return found


def table(repository: Path, present: dict[str, Exported]) -> Table:
    """A table of PaddleX's twenty networks, followed by the other models in `repository`."""
    rows = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    rows.caption = (
        f"mIoU: PaddleX's figure, measured at the given size; version: the one served from {repository} (others in brackets)"
    )
    rows.add_column("model", no_wrap=True)
    rows.add_column("trained on", no_wrap=True)
    rows.add_column("mIoU", justify="right")
    rows.add_column("measured at", no_wrap=True)
    rows.add_column("MB", justify="right")
    rows.add_column("version", min_width=7)
    rows.add_column("agreement", no_wrap=True)
    for network in zoo.NETWORKS:
        megabytes = "" if network.megabytes is None else f"{network.megabytes:.1f}"
        figures = [f"{network.published.miou:.2f}", network.published.protocol, megabytes]
        rows.add_row(network.name, network.data_set.name, *figures, *_state(present.get(network.name)))
    for model, state in present.items():
        if model not in OFFICIAL:
            data_set = zoo.data_set(model)
            rows.add_row(model, data_set.name if data_set else "own data", "", "", "", *_state(state))
    return rows


def _state(state: Exported | None) -> tuple[str, str]:
    if state is None:
        return "", ""
    if state.versions is None:
        return "[bold red]broken[/]", ""
    served, others = state.versions.served, [str(each) for each in state.versions.present if each != state.versions.served]
    return f"[bold green]{served}[/]" + (f" ({', '.join(others)})" if others else ""), _agreement(state.agreement)


def _agreement(share: float) -> str:
    return "not compared" if math.isnan(share) else f"{share:.4%}"


def main(
    repository: Annotated[Path, typer.Option(help="The model repository.", file_okay=False)] = Path("model_repository"),
) -> None:
    """List PaddleX's networks, and show which are exported."""
    present = exported(repository)
    show(table(repository, present))
    problems = [state.problem for state in present.values() if state.problem]
    for problem in problems:
        Console(stderr=True).print(f"[bold red]Broken:[/] {escape(problem)}", highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
