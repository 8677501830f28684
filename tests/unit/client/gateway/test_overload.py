from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from semseg_client import Overloaded
from semseg_client.gateway import Settings
from semseg_client.gateway.http.traffic import Traffic
from semseg_client.gateway.overload import OverloadCheck

MEMORY = 1000


class Inside:
    """An application that counts its requests, and answers each with an empty object."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def ask(
    traffic: Traffic, overload: Overloaded | None = None, path: str = "/semantic-segmentation", length: int = 10
) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    """The answer's status, headers and body. Fails if anything reads the request's body."""
    sent = list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    inside = Inside()
    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-length", str(length).encode())]}
    await OverloadCheck(inside, traffic, lambda _: overload)(scope, receive, send)
    assert inside.asked == (sent[0]["status"] == 200)
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


@pytest.fixture
def traffic() -> Traffic:
    return Traffic(Settings(workers=1, max_body_bytes=MEMORY // 2, body_memory=MEMORY, answer_memory=MEMORY))


@pytest.mark.parametrize(("wait", "told"), [(None, b"1"), (0.01, b"1"), (3.2, b"4")])
async def test_overload_is_told_with_the_time_after_which_to_try_again(traffic: Traffic, wait: float | None, told: bytes) -> None:
    status, headers, body = await ask(traffic, Overloaded("full", wait))
    assert (status, headers[b"retry-after"]) == (503, told)
    assert (body["errorCode"], body["errorMsg"]) == (503, "The server is busy")


async def test_of_many_one_is_refused_in_each_round_of_the_event_loop(traffic: Traffic) -> None:
    refused = []

    async def send(message: Message) -> None:
        refused.append(message)

    async def receive() -> Message:
        raise AssertionError

    gate = OverloadCheck(Inside(), traffic, lambda _: Overloaded("full"))
    scope = {"type": "http", "method": "POST", "path": "/semantic-segmentation", "headers": []}
    asking = [asyncio.create_task(gate(dict(scope), receive, send)) for _ in range(50)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert 0 < len(refused) <= 2 * 20
    await asyncio.gather(*asking)
    assert len(refused) == 2 * 50


async def test_other_paths_are_open_under_overload(traffic: Traffic) -> None:
    assert (await ask(traffic, Overloaded("full"), "/health"))[0] == 200


async def test_a_body_that_has_no_room_is_refused_before_it_comes(traffic: Traffic) -> None:
    traffic.bodies = 500
    assert (await ask(traffic, length=250))[0] == 200
    status, headers, body = await ask(traffic, length=251)
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert body["errorMsg"] == "The server has no memory left for this request"


async def test_a_body_that_is_too_large_in_any_case_is_left_to_the_application(traffic: Traffic) -> None:
    traffic.bodies = 900
    assert (await ask(traffic, length=MEMORY))[0] == 200


async def test_nobody_comes_in_while_answers_take_all_memory(traffic: Traffic) -> None:
    traffic.answers = MEMORY + 1
    assert (await ask(traffic))[0] == 503
