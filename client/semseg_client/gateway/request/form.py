"""multipart/form-data: files in the field `image`, options in other fields and in the query."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..failures import BROKEN_OFF, UNKNOWN_KIND, Failed, invalid
from ..schemas import Options
from .body import limited
from .options import options_of

_MOST_FIELDS = 32
_LONGEST_FIELD = 65536  # bytes
_CHARSETS = (b"utf-8", b"utf8", b"us-ascii")  # some of Python's other codecs fail, or do not decode to text


@dataclass(frozen=True)
class Form:
    files: list[UploadFile]
    options: Options


@asynccontextmanager
async def form(request: Request, limit: int, most_files: int) -> AsyncIterator[Form]:
    """The request's form. Large files are kept on disk, and only while the block runs.

    A field overrides a query parameter.

    Raises:
        Failed: the form is larger than `limit` bytes, the caller disconnected, or (Invalid) it is malformed.
    """
    _, told = parse_options_header(request.headers["content-type"])
    if told.get(b"charset", b"utf-8").lower() not in _CHARSETS:
        raise Failed(UNKNOWN_KIND, kinds="the form in UTF-8")
    try:
        fields = await limited(request, limit).form(max_files=most_files, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD)
    except HTTPException as error:  # Starlette's 400 for a form that it cannot parse
        raise invalid("body", f"Invalid form: {error.detail}") from None
    except ClientDisconnect:
        raise Failed(BROKEN_OFF) from None
    try:
        texts = [(name, value) for name, value in fields.multi_items() if isinstance(value, str)]
        files = [value for name, value in fields.multi_items() if name == "image" and isinstance(value, UploadFile)]
        if not files:
            raise invalid("body.image", "Field required, as a file (curl -F image=@FILE)")
        named = {name for name, _ in texts}
        query = [(name, value) for name, value in request.query_params.multi_items() if name not in named]
        yield Form(files, options_of([*query, *texts], "body"))
    finally:
        await fields.close()
