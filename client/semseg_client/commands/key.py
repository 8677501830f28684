"""`semseg key`: a new API key."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Annotated

import typer


def key(name: Annotated[str, typer.Argument(help="Whose key it is; the log has it with each request.")]) -> None:
    """Make an API key: the line for the file of keys goes to standard output, the key itself to standard error.

    semseg key alice >> keys.yaml
    """
    made = secrets.token_urlsafe(32)
    typer.echo(f"The key of {name}, to be sent as X-API-Key; it is shown this once: {made}", err=True)
    typer.echo(f"{json.dumps(name)}: sha256:{hashlib.sha256(made.encode()).hexdigest()}")
