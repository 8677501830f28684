"""POST /semantic-segmentation: one image."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import Request, Response

from ..answer import Answer, answer, described
from ..http.cancel_on_disconnect import unless_gone
from ..http.compression import accepted_encoding, compressed, worth_compressing
from ..http.log_id import HEADER, header_value, log_id
from ..http.media import ANSWERS, BYTES, JSON, accepted
from ..http.timing import Stopwatch
from ..request import read_one
from ..segmenter import Found, Segmenter
from ..settings import Settings

if TYPE_CHECKING:
    from ..url_images import UrlImages

_COMPRESSIBLE = (JSON, BYTES)


async def infer(request: Request, settings: Settings, segmenter: Segmenter, remote: UrlImages | None) -> Response:
    """The answer to one image. Steps that are slow for large images run in other threads, so as not to hold up small ones.

    Raises:
        Failed, SemsegError: the request cannot be answered.
    """
    watch = Stopwatch()
    kind = accepted(request, ANSWERS)
    encoding = accepted_encoding(request) if kind in _COMPRESSIBLE else None
    with watch.stage("parse"):
        asked = await read_one(request, settings, remote)
        request.state.log_id = asked.options.log_id
    wanted = answer(kind, asked, log_id(request))
    with watch.stage("inference"):
        found = await unless_gone(request, segmenter.found(asked, wanted.outputs))
    with watch.stage("encode"):
        body, encoded = await asyncio.to_thread(_body, wanted, found, encoding)
    headers = {HEADER: header_value(log_id(request)), "Server-Timing": watch.header, "Vary": "Accept, Accept-Encoding"}
    if encoded:
        headers["Content-Encoding"] = encoded
    return Response(body, 200, headers | described(found), kind)


def _body(wanted: Answer, found: Found, encoding: str | None) -> tuple[bytes, str | None]:
    """The body, and its encoding if it is compressed."""
    body = wanted.body(found)
    if encoding is None or not worth_compressing(body):
        return body, None
    return compressed(body, encoding), encoding
