"""POST /semantic-segmentation/batch: several images, answered as a stream of JSON lines."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import StreamingResponse

from ...errors import SemsegError
from ..answer import content
from ..failures import Failed, Invalid
from ..http import log
from ..http.compression import Lines, accepted_encoding
from ..http.envelope import as_failed, cause, written
from ..http.exchange import Exchange, exchange_of
from ..http.log_id import HEADER, header_value, log_id, new_log_id
from ..http.media import LINES, accepted
from ..request import Batch, ImageRequest, read_batch
from ..request.batch import Item
from ..segmenter import Found, Segmenter
from ..settings import Settings

if TYPE_CHECKING:
    from ..url_images import UrlImages


async def batch(request: Request, settings: Settings, segmenter: Segmenter, remote: UrlImages | None) -> StreamingResponse:
    """The answers in the order of the images, each sent as soon as it and those before it are ready.

    Raises:
        Failed: the request as a whole cannot be answered.
    """
    kind = accepted(request, [LINES])
    encoding = accepted_encoding(request)
    asked = await read_batch(request, settings, remote)
    request.state.log_id = asked.log_id
    lines = _lines(asked, settings.batch_concurrency, segmenter, exchange_of(request))
    headers = {HEADER: header_value(log_id(request)), "Vary": "Accept-Encoding"}
    if encoding is not None:
        lines = _compressed(lines, encoding)
        headers["Content-Encoding"] = encoding
    return StreamingResponse(lines, 200, headers, kind)


async def _lines(asked: Batch, most: int, segmenter: Segmenter, exchange: Exchange) -> AsyncGenerator[bytes, None]:
    """However slowly the caller reads, at most `most` images run or wait to be sent; they are cancelled if it hangs up."""
    under_way: deque[asyncio.Task[bytes]] = deque()
    try:
        for index, item in enumerate(asked.items):
            under_way.append(asyncio.create_task(_line(index, item, segmenter, exchange)))
            if len(under_way) == most:
                yield await _due(under_way[0], exchange)
                under_way.popleft()
        while under_way:
            yield await _due(under_way[0], exchange)
            under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()


async def _due(line: asyncio.Task[bytes], exchange: Exchange) -> bytes:
    """Wait for the next line, and stop counting it as held: from here on, `sending` counts it."""
    content = await line
    exchange.hold(-len(content))
    return content


async def _line(index: int, item: Item, segmenter: Segmenter, exchange: Exchange) -> bytes:
    line = await _answered(index, item, segmenter)
    exchange.hold(len(line))
    return line


async def _answered(index: int, item: Item, segmenter: Segmenter) -> bytes:
    log_id = None
    try:
        image = await item()
        log_id = image.options.log_id
        found = await segmenter.found(image, image.options.wanted)
        return await asyncio.to_thread(_success, index, image, found)
    except Exception as error:  # noqa: BLE001  (one image's failure must not fail the batch, even if it is our bug)
        told = as_failed(error)
        sent = (told.log_id if isinstance(told, Invalid) else log_id) or new_log_id()
        if told.failure.status >= 500:
            log.error(cause(told), sent, None if isinstance(error, Failed | SemsegError) else error)
        return written(sent, told.failure.status, told.message, end=b"\n", index=index)


def _success(index: int, asked: ImageRequest, found: Found) -> bytes:
    options = asked.options
    return written(options.log_id or new_log_id(), 200, "Success", content(found, asked), end=b"\n", index=index)


async def _compressed(lines: AsyncGenerator[bytes, None], encoding: str) -> AsyncGenerator[bytes, None]:
    encoder = Lines(encoding)
    async with aclosing(lines):
        async for line in lines:
            yield await asyncio.to_thread(encoder.line, line)
    yield encoder.end()
