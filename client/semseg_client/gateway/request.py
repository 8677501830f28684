"""From the bytes of a request's body to what they ask for."""

from __future__ import annotations

import re
from typing import Any

import pybase64
import pydantic_core
from fastapi import HTTPException, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from ..errors import InvalidImage
from .schemas import SegmentationRequest

_SPACE = b" \t\n\r\v\f"
_URL = re.compile(r"\s*https?://", re.IGNORECASE)


class InvalidBody(Exception):
    """The body is no segmentation request; `errors`, each with `type`, `loc` and `msg`, hold none of the caller's."""

    def __init__(self, errors: list[dict[str, str]], log_id: str | None) -> None:
        super().__init__()
        self.errors = errors
        self.log_id = log_id


async def read_body(request: Request, limit: int) -> bytes:
    """The body of a request.

    Raises:
        HTTPException: 413, it is longer than `limit` bytes; 400, the caller has gone.
    """
    too_large = HTTPException(413, f"The request body is larger than {limit} bytes")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large
    except ClientDisconnect:
        raise HTTPException(400, "The request broke off") from None
    return bytes(body)


def parse(body: bytes) -> SegmentationRequest:
    """The request that `body` holds.

    Raises:
        InvalidBody: it holds none.
    """
    try:
        return SegmentationRequest.model_validate_json(body)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)
        errors = [{"type": one["type"], "loc": location(*one["loc"]), "msg": one["msg"]} for one in told]
        raise InvalidBody(errors, _sent_log_id(body)) from None


def location(*path: str | int) -> str:
    """Where in the request something is, as PaddleX writes it: `body.image`."""
    return ".".join(["body", *map(str, path)])


def decoded(image: str) -> bytes:
    """The image file that Base64 stands for (RFC 4648, section 4); ASCII white space in it is let pass.

    Raises:
        InvalidImage: it is a URL, not Base64, or empty.
    """
    if _URL.match(image):
        raise InvalidImage("image is a URL; this server takes Base64 only")
    try:
        # Removed before, and not ignored while decoding: that would let every other illegal character pass too.
        content = pybase64.b64decode(image.encode("ascii").translate(None, _SPACE), validate=True)
    except ValueError:
        if image.startswith("data:"):
            raise InvalidImage("image is a data URL; send what follows its comma") from None
        raise InvalidImage("image is not valid Base64") from None
    if not content:
        raise InvalidImage("image is empty")
    return content


def _sent_log_id(body: bytes) -> str | None:
    """The log id of a request that may be wrong in every other way."""
    try:
        content: Any = pydantic_core.from_json(body)
    except ValueError:
        return None
    log_id = content.get("logId") if isinstance(content, dict) else None
    return log_id if isinstance(log_id, str) else None
