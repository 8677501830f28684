"""Refuses a request under overload, before any work is done for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Overloaded
from .failures import NO_ROOM, Failed
from .http.envelope import as_failed, failed
from .http.exchange import Exchange
from .http.root_path import route_path
from .http.traffic import Traffic

_PATH = "/semantic-segmentation"  # and below


class OverloadCheck:
    """ASGI middleware. `overload`, given the number of requests under way, says why no further image is accepted, or None."""

    def __init__(self, app: ASGIApp, traffic: Traffic, overload: Callable[[int], Overloaded | None]) -> None:
        self._app = app
        self._traffic = traffic
        self._overload = overload
        # One refusal per round of the event loop, so that images do not wait for hundreds of them.
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        refusal = self._refusal(scope)
        if refusal is not None:
            async with self._turn:
                await asyncio.sleep(0)
            return await failed(Request(scope), refusal)(scope, receive, send)
        state = scope.setdefault("state", {})
        state["exchange"] = exchange = Exchange(self._traffic)
        if (connection := state.get("connection")) is not None:
            connection.exchange = exchange
        try:
            await self._app(scope, exchange.receiving(receive), exchange.sending(send))
        finally:
            exchange.end()

    def _refusal(self, scope: Scope) -> Failed | None:
        if scope["method"] != "POST" or not route_path(scope).startswith(_PATH):
            return None
        if (overload := self._overload(self._traffic.under_way)) is not None:
            return as_failed(overload)
        traffic = self._traffic
        declared = Headers(scope=scope).get("content-length", "")
        size = int(declared) if declared.isdecimal() else 0
        fits = size > traffic.settings.max_body_bytes or traffic.body_fits(size)  # a body that is too large gets its own error
        return None if fits and traffic.answers <= traffic.answer_memory else Failed(NO_ROOM)
