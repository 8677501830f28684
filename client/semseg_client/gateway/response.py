"""PaddleX's envelope, for what was served and for every error."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import pybase64
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ..errors import DeadlineExceeded, InvalidRequest, ModelNotFound, Overloaded, SemsegError, Unavailable
from ..segmentation import Segmentation
from .request import InvalidBody, location

_log = logging.getLogger(__name__)

_RETRY_AFTER = {"Retry-After": "1"}  # s
# The contract's names of what a caller can set, and PaddleX's.
_FIELDS = {"image": "image", "target_size": "targetSize"}


def success(request: Request, segmentation: Segmentation) -> Response:
    """What PaddleX answers with a label map."""
    result: dict[str, Any] = {"labelMap": segmentation.label_map.ravel(), "size": segmentation.size}
    if segmentation.picture is not None:
        result["image"] = pybase64.b64encode_as_string(segmentation.picture)
    return envelope(request, 200, "Success", result=result)


def envelope(
    request: Request,
    status: int,
    message: str,
    *,
    result: dict[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`message` in PaddleX's envelope; the error code is 0 or the HTTP status."""
    body = {
        "logId": getattr(request.state, "log_id", None) or str(uuid.uuid4()),
        "errorCode": 0 if status == 200 else status,
        "errorMsg": message,
    }
    if result is not None:
        body["result"] = result
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), status, headers, "application/json")


def failure(request: Request, error: SemsegError) -> Response:
    """What to answer when the client has raised `error`."""
    match error:
        case InvalidRequest(field=field) if field in _FIELDS:
            told = re.sub("|".join(_FIELDS), lambda name: _FIELDS[name[0]], str(error))
            return invalid(request, [{"type": "value_error", "loc": location(_FIELDS[field]), "msg": told}])
        case Overloaded():
            return envelope(request, 503, "The server is busy", headers=_RETRY_AFTER)
        # No caller chooses the model: one that is not there, or not named, is for the server's owner to mend.
        case Unavailable() | ModelNotFound() | InvalidRequest(field="model"):
            _log.error("%s: %s", type(error).__name__, error)
            return envelope(request, 503, "The inference server is not available", headers=_RETRY_AFTER)
        case DeadlineExceeded():
            return envelope(request, 504, "The inference took too long")
        case _:
            _log.error("%s: %s", type(error).__name__, error)
            return envelope(request, 500, "Internal server error")


def invalid(request: Request, errors: list[dict[str, str]]) -> Response:
    """422 as PaddleX has it: the errors are a JSON text inside the JSON."""
    return envelope(request, 422, json.dumps(errors))


def answer_errors(app: FastAPI) -> None:
    """Have every error of `app` answered in the envelope."""

    @app.exception_handler(InvalidBody)
    async def _(request: Request, error: InvalidBody) -> Response:
        request.state.log_id = error.log_id
        return invalid(request, error.errors)

    @app.exception_handler(SemsegError)
    async def _(request: Request, error: SemsegError) -> Response:
        return failure(request, error)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        return envelope(request, error.status_code, error.detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def _(request: Request, _: Exception) -> Response:
        return envelope(request, 500, "Internal server error")  # the web server logs the traceback
