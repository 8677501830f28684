"""`semseg key`: a new API key."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Annotated

import typer


def key(name: Annotated[str, typer.Argument(help="The key's owner, who is named in the log of each request.")]) -> None:
    """Make an API key: the line for the file of keys goes to standard output, the key itself to standard error.

    semseg key alice >> keys.yaml
    """
    made = secrets.token_urlsafe(32)
    typer.echo(f"The key of {name}, to send as X-API-Key; it is shown only now: {made}", err=True)
    typer.echo(f"{json.dumps(name)}: sha256:{hashlib.sha256(made.encode()).hexdigest()}")
