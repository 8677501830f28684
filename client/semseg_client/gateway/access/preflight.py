"""Tells browsers which web pages may call the gateway."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from ..http.envelope import envelope


class Preflight(CORSMiddleware):
    """Starlette's CORS middleware, except that it refuses a preflight (say, for a made-up method) in PaddleX's envelope."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if scope.get("method") != "OPTIONS" or "origin" not in headers or "access-control-request-method" not in headers:
            await super().__call__(scope, receive, send)
            return
        answer = self.preflight_response(headers)
        if answer.status_code != 200:
            kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
            answer = envelope(Request(scope), answer.status_code, bytes(answer.body).decode(), headers=kept)
        await answer(scope, receive, send)
