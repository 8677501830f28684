"""`semseg key`: a new API key."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Annotated

import typer


def key(name: Annotated[str, typer.Argument(help="Name of the key's owner, logged with each request.")]) -> None:
    """Create an API key. The line for the key file goes to standard output, the key itself to standard error.

    semseg key alice >> keys.yaml
    """
    made = secrets.token_urlsafe(32)
    typer.echo(f"API key for {name}, shown only once; send it as X-API-Key: {made}", err=True)
    typer.echo(f"{json.dumps(name)}: sha256:{hashlib.sha256(made.encode()).hexdigest()}")
