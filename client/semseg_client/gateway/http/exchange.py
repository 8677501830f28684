"""One request and its answer, as they pass through the process."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.types import Message, Receive, Send

from ..failures import NO_ROOM, TOO_SLOW, Failed
from .traffic import Traffic

# An answer written in one piece stays whole in the web server's buffer until the caller has read all of it.
_PIECE = 128 * 2**10  # bytes
_LARGE = 2**20  # bytes; larger bodies take turns to be read


class Exchange:
    """Adds the memory it holds to the traffic's total. A body counts until its request is answered."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.body = 0  # bytes held
        self.answer = 0  # bytes held
        self.sent = 0  # bytes
        self.too_slow = False  # whether the body arrives too slowly
        self._ended = False
        self._under_way = False

    def hold(self, size: int) -> None:
        """Count `size` more bytes of an answer as held but not yet sent; a negative `size` releases them."""
        if not self._ended:
            self.answer += size
            self._traffic.answers += size

    def end(self) -> None:
        """Release everything held."""
        self.hold(-self.answer)
        self._release_body()
        self._count(under_way=False)
        self._ended = True

    def receiving(self, receive: Receive) -> Receive:
        """Like `receive`, but raises Failed if the body arrives too slowly or takes too much memory."""

        async def counted() -> Message:
            message = await receive()
            if self.too_slow:
                raise Failed(TOO_SLOW)
            size = len(message.get("body", b""))
            self.body += size
            self._traffic.bodies += size
            if size and not self._traffic.body_fits(self.body, self.body):
                raise Failed(NO_ROOM)
            if self.body > _LARGE:
                async with self._traffic.large_body:
                    await asyncio.sleep(0)
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._count(under_way=not self._ended)
            return message

        return counted

    def sending(self, send: Send) -> Send:
        """Like `send`, but waits until the caller has read most of what was sent."""

        async def counted(message: Message) -> None:
            if message["type"] != "http.response.body":
                self._count(under_way=False)
                await send(message)
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if not more:
                self._release_body()
            size = len(body)
            self.hold(size)
            if size <= _PIECE:
                await send(message)
                self.sent += size
            else:
                view = memoryview(body)
                for start in range(0, size, _PIECE):
                    piece, last = view[start : start + _PIECE], start + _PIECE >= size
                    await send({**message, "body": piece, "more_body": more or not last})
                    self.sent += len(piece)
            self.hold(-size)

        return counted

    def _count(self, *, under_way: bool) -> None:
        self._traffic.under_way += under_way - self._under_way
        self._under_way = under_way

    def _release_body(self) -> None:
        self._traffic.bodies -= self.body
        self.body = 0


def exchange_of(request: Request) -> Exchange:
    """The exchange to which the request belongs."""
    found: Exchange = request.state.exchange
    return found
