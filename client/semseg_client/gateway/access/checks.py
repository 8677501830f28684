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
    """Put the checks in front of `app`: host and origin first, then preflights, which carry no key, then the key."""
    if settings.api_keys_file is not None:
        app.add_middleware(KeyCheck, keys=Keys(settings.api_keys_file))
    if settings.cors_origins:
        app.add_middleware(
            Preflight,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],  # a wrong method then reaches the route, and the page can read its 405
            allow_headers=["*"],
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(HostAndOrigin, settings=settings)
