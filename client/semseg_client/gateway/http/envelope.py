"""PaddleX's envelope, for results and errors alike."""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ...errors import DeadlineExceeded, Overloaded, SemsegError, SharedMemoryFull, SharedMemoryTooSmall, Unavailable
from ..failures import (
    BUSY,
    DEFECT,
    SHARED_MEMORY_FULL,
    SHARED_MEMORY_TOO_SMALL,
    TOO_LATE,
    UNAVAILABLE,
    Failed,
    Invalid,
)
from . import log
from .log_id import HEADER, header_value, log_id
from .media import JSON


class Pieces(tuple[bytes | memoryview, ...]):
    """JSON that is already serialised, in pieces."""


def written(log_id: str, status: int, message: str, result: Mapping[str, object] | None = None, **more: object) -> bytes:
    """The envelope as JSON; the error code is 0 or the HTTP status. The fields of `more` come first.

    `Pieces` in the result are copied only once, because they may be megabytes long.
    """
    head = orjson.dumps({**more, "logId": log_id, "errorCode": 0 if status == 200 else status, "errorMsg": message})
    if result is None:
        return head
    pieces: list[bytes | memoryview] = [head[:-1], b',"result":{']
    for number, (name, value) in enumerate(result.items()):
        pieces += [b"," if number else b"", orjson.dumps(name), b":"]
        pieces += value if isinstance(value, Pieces) else (orjson.dumps(value),)
    return b"".join([*pieces, b"}}"])


def envelope(
    request: Request,
    status: int,
    message: str,
    *,
    result: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer small enough to encode on the event loop."""
    told = log_id(request)
    body = written(told, status, message, result)
    return Response(body, status, {HEADER: header_value(told), **(headers or {})}, JSON)


def failed(request: Request, error: Failed) -> Response:
    """The answer to a failed request, from its row in the table of failures."""
    if isinstance(error, Invalid) and error.log_id is not None:
        request.state.log_id = error.log_id
    if error.failure.status >= 500:
        request.state.cause = cause(error)
    wait = error.retry_after
    return envelope(
        request, error.failure.status, error.message, headers={"Retry-After": str(wait)} if wait is not None else None
    )


def as_failed(error: Exception) -> Failed:
    """The failure to report for `error`; it tells the caller nothing about the server's internals."""
    match error:
        case Failed():
            return error
        case Overloaded(retry_after=wait):
            told = Failed(BUSY, retry_after=None if wait is None else max(1, math.ceil(wait)))
        case DeadlineExceeded():
            told = Failed(TOO_LATE)
        case SharedMemoryFull():
            told = Failed(SHARED_MEMORY_FULL)
        case SharedMemoryTooSmall():
            told = Failed(SHARED_MEMORY_TOO_SMALL)
        case Unavailable():
            told = Failed(UNAVAILABLE)
        case _:
            told = Failed(DEFECT)
    told.__cause__ = error
    return told


def cause(error: Failed) -> str:
    """What the log says about the error."""
    return error.message if error.__cause__ is None else log.told(error.__cause__)


def answer_errors(app: FastAPI) -> None:
    """Answer `app`'s errors in the envelope; `AccessLog` does so for unexpected exceptions."""

    @app.exception_handler(Failed)
    async def _(request: Request, error: Failed) -> Response:
        return failed(request, error)

    @app.exception_handler(SemsegError)
    async def _(request: Request, error: SemsegError) -> Response:
        return failed(request, as_failed(error))

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        return envelope(request, error.status_code, error.detail, headers=error.headers)
