"""`python -m semseg_export.versions`: chooses the served version of an exported model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from .errors import RepositoryError
from .install import repository as entries

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name that the model is served under.", show_default=False)]
Repository = Annotated[Path, typer.Option(help="The model repository.", file_okay=False)]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Choose the served version of an exported model, or delete the others."
)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def use(
    model: Model,
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", help="Default: the version before the served one.", show_default=False)
    ] = None,
    repository: Repository = Path("model_repository"),
) -> None:
    """Serve another version, for example to roll back. A running server picks it up."""
    with _complaints():
        if version is None:
            state = entries.versions(repository, model)
            version = max((each for each in state.present if each < state.served), default=None)
            if version is None:
                raise RepositoryError(f"{model} has no version before {state.served} in {repository}")
        entries.serve(repository, model, version)
    console.print(f"{model}: version {version} is served")


@app.command()
def prune(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Names that the models are served under.", show_default=False)
    ],
    repository: Repository = Path("model_repository"),
) -> None:
    """Delete all versions except the served one."""
    for model in models:
        with _complaints():
            gone = entries.prune(repository, model)
        console.print(
            f"{model}: {'deleted version ' + ', '.join(map(str, gone)) if gone else 'nothing to delete: only one version'}"
        )


@contextmanager
def _complaints() -> Iterator[None]:
    try:
        yield
    except RepositoryError as error:
        Console(stderr=True).print(f"[bold red]Failed:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
