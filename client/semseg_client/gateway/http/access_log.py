"""Logs every request, and answers it if the application raises."""

from __future__ import annotations

import time

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..failures import DEFECT, Failed
from . import log
from .envelope import failed
from .log_id import HEADER, header_value, log_id

_LOG_ID = HEADER.lower().encode()
_TOLD = {b"x-model-name": "model", b"x-image-width": "width", b"x-image-height": "height"}


class AccessLog:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        seen = _Seen(scope, receive, send)
        defect: Exception | None = None
        try:
            await self._app(scope, seen.receive, seen.send)
        except ClientDisconnect:
            pass
        except Exception as error:  # any bug
            defect = error
            if seen.status is None:
                await failed(Request(scope), Failed(DEFECT))(scope, seen.receive, seen.send)
            else:
                raise  # the answer has begun, so only the web server can cut it off
        finally:
            seen.tell(defect)


class _Seen:
    """Observes one request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._request = Request(scope)
        self._receive = receive
        self._send = send
        self._begun = time.perf_counter()
        self._in = 0
        self._out = 0
        self._headers: dict[str, str] = {}
        self.status: int | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            if not any(name == _LOG_ID for name, _ in headers):  # a page or a file has none
                headers.append((_LOG_ID, header_value(log_id(self._request)).encode("latin-1")))
            self._headers = {_TOLD[name]: value.decode("latin-1") for name, value in headers if name in _TOLD}
        else:
            self._out += len(message.get("body", b""))
        await self._send(message)

    def tell(self, defect: Exception | None) -> None:
        state, width, height = self._request.state, self._headers.get("width"), self._headers.get("height")
        log.request(
            {
                "log_id": log_id(self._request),
                "key": getattr(state, "key", None),
                "method": self._request.method,
                "path": self._request.scope["path"],
                "model": self._headers.get("model"),
                "width": int(width) if width else None,
                "height": int(height) if height else None,
                "status": self.status,
                "ms": round((time.perf_counter() - self._begun) * 1000, 1),
                "bytes_in": self._in,
                "bytes_out": self._out,
                "cause": log.told(defect) if defect else getattr(state, "cause", None),
            },
            failed=defect is not None or (self.status or 0) >= 500,
            defect=defect,
        )
