"""Requires an API key and enforces its limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..failures import NO_KEY, TOO_MANY
from ..http.envelope import envelope
from ..http.root_path import route_path
from .keys import Keys
from .paths import HEALTH

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="semseg"'}  # RFC 6750, section 3


class KeyCheck:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._keys = keys
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or route_path(scope) in HEALTH:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        sent = _sent(request)
        holder = self._keys.find(sent) if sent is not None else None
        if holder is None:
            await envelope(request, NO_KEY.status, NO_KEY.message, headers=_CHALLENGE)(scope, receive, send)
            return
        request.state.key = holder.name
        wait = holder.allowance.enter(self._clock())
        if wait > 0:
            headers = {"Retry-After": str(math.ceil(wait))}
            await envelope(request, TOO_MANY.status, TOO_MANY.message, headers=headers)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            holder.allowance.leave()


def _sent(request: Request) -> str | None:
    """The key in `X-API-Key`, else in `Authorization`, which a proxy may need for itself."""
    key = request.headers.get("x-api-key")
    if key is not None:
        return key
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
