"""The checks in front of the application."""

from __future__ import annotations

from fastapi import FastAPI

from ..settings import Settings
from .host_and_origin import HostAndOrigin
from .key_check import KeyCheck
from .keys import Keys
from .preflight import Preflight

_EXPOSED = (
    "X-Log-Id",
    "X-Model-Name",
    "X-Model-Version",
    "X-Image-Height",
    "X-Image-Width",
    "Server-Timing",
    "Retry-After",
    "WWW-Authenticate",
)


def add_checks(app: FastAPI, settings: Settings) -> None:
    """Put the checks in front of `app`: host and origin first, then the key. A preflight carries no key."""
    if settings.api_keys_file is not None:
        app.add_middleware(KeyCheck, keys=Keys(settings.api_keys_file))
    if settings.cors_origins:
        app.add_middleware(
            Preflight,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],  # the routes answer a wrong method with 405, which the page can read
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(HostAndOrigin, settings=settings)
