"""PaddleX's envelope, for results and errors alike."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

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


@dataclass(frozen=True)
class Text:
    """JSON that is written piece by piece to where it is sent from, because it may be megabytes long."""

    length: int
    pieces: Iterable[bytes | memoryview]


def written(
    log_id: str, status: int, message: str, result: Mapping[str, object] | None = None, end: bytes = b"", **more: object
) -> bytes:
    """The envelope as JSON, then `end`; the error code is 0 or the HTTP status. The fields of `more` come first."""
    head = orjson.dumps({**more, "logId": log_id, "errorCode": 0 if status == 200 else status, "errorMsg": message})
    if result is None:
        return head + end
    texts = [_text(head[:-1] + b',"result":{')]
    for number, (name, value) in enumerate(result.items()):
        texts.append(_text((b"," if number else b"") + orjson.dumps(name) + b":"))
        texts.append(value if isinstance(value, Text) else _text(orjson.dumps(value)))
    texts.append(_text(b"}}" + end))
    body = io.BytesIO(bytes(sum(each.length for each in texts)))
    body.writelines(chain.from_iterable(each.pieces for each in texts))
    return body.getvalue()  # its own bytes, not a copy


def _text(piece: bytes) -> Text:
    return Text(len(piece), (piece,))


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
