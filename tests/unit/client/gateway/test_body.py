from __future__ import annotations

import pytest
from fastapi import Request
from starlette.types import Message

from semseg_client.gateway.failures import BROKEN_OFF, TOO_LARGE, Failed
from semseg_client.gateway.request.body import read_body

PIECE = bytes(range(256)) * 256


def request(pieces: list[bytes], *, whole: bool = True) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    messages.append({"type": "http.request", "body": b""} if whole else {"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": [(b"transfer-encoding", b"chunked")]}, receive)


@pytest.mark.parametrize("number", [0, 1, 3, 40])
async def test_a_body_is_all_of_its_pieces_in_order(number: int) -> None:
    pieces = [bytes([each]) + PIECE for each in range(number)]
    assert await read_body(request(pieces), 2**24) == b"".join(pieces)


async def test_a_body_that_is_too_large_or_broken_off_is_refused() -> None:
    with pytest.raises(Failed) as refused:
        await read_body(request([PIECE] * 40), 39 * len(PIECE))
    assert refused.value.failure is TOO_LARGE
    with pytest.raises(Failed) as refused:
        await read_body(request([PIECE], whole=False), 2**24)
    assert refused.value.failure is BROKEN_OFF
