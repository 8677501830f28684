from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.types import Message, Receive

from semseg_client.gateway import Settings
from semseg_client.gateway.failures import NO_ROOM, TOO_SLOW, Failed
from semseg_client.gateway.http.exchange import Exchange
from semseg_client.gateway.http.traffic import Traffic


def traffic(memory: int, **more: Any) -> Traffic:
    return Traffic(Settings(workers=1, max_body_bytes=memory // 2, body_memory=memory, answer_memory=memory, **more))


def chunks(sizes: Iterable[int]) -> Receive:
    bodies = iter(sizes)

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(next(bodies)), "more_body": True}

    return receive


async def test_a_body_counts_until_it_is_answered() -> None:
    every = traffic(1000)
    exchange = Exchange(every)
    receive = exchange.receiving(chunks([200, 300]))
    await receive()
    await receive()
    assert every.bodies == 500
    exchange.end()
    assert every.bodies == 0


async def test_a_request_is_under_way_from_its_last_byte_until_its_answer_begins() -> None:
    async def last() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(_: Message) -> None:
        pass

    every = traffic(1000)
    answered, given_up = Exchange(every), Exchange(every)
    await answered.receiving(chunks([200]))()
    assert every.under_way == 0
    await answered.receiving(last)()
    await given_up.receiving(last)()
    assert every.under_way == 2
    await answered.sending(send)({"type": "http.response.start", "status": 200, "headers": []})
    assert every.under_way == 1
    for each in (answered, given_up):
        each.end()
    assert every.under_way == 0


async def test_large_bodies_give_way_and_small_ones_still_come() -> None:
    every = traffic(1000)
    large = [Exchange(every) for _ in range(5)]
    receives = [each.receiving(chunks([100] * 9)) for each in large]
    refused = {}
    for _ in range(5):
        for exchange, receive in zip(large, receives, strict=True):
            if exchange not in refused:
                try:
                    await receive()
                except Failed as error:
                    exchange.end()
                    refused[exchange] = error.failure
        assert every.bodies < 900
        small = Exchange(every)
        await small.receiving(chunks([50]))()
        small.end()
    assert list(refused.values()) == [NO_ROOM] * 4


async def test_one_body_of_the_largest_size_has_room() -> None:
    every = traffic(1000)
    receive = Exchange(every).receiving(chunks([100] * 5))
    for _ in range(5):
        await receive()
    assert every.bodies == 500


async def test_a_slow_sender_is_told_at_its_next_byte() -> None:
    exchange = Exchange(traffic(1000))
    receive = exchange.receiving(chunks([1, 0]))
    await receive()
    exchange.too_slow = True
    with pytest.raises(Failed) as refused:
        await receive()
    assert refused.value.failure is TOO_SLOW


async def test_a_large_answer_goes_out_in_pieces_and_counts_until_the_last() -> None:
    every = traffic(1000)
    exchange, sent, held = Exchange(every), list[Message](), list[int]()

    async def send(message: Message) -> None:
        sent.append(message)
        held.append(every.answers)

    answer = bytes(range(256)) * 4096
    await exchange.sending(send)({"type": "http.response.body", "body": answer})
    assert b"".join(each["body"] for each in sent) == answer
    assert [each["more_body"] for each in sent] == [True] * (len(sent) - 1) + [False]
    assert len(sent) > 4
    assert set(held) == {len(answer)}
    assert (every.answers, exchange.sent) == (0, len(answer))


async def test_a_piece_of_a_stream_does_not_end_it() -> None:
    sent = list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    await Exchange(traffic(1000)).sending(send)({"type": "http.response.body", "body": bytes(2**20), "more_body": True})
    assert all(each["more_body"] for each in sent)


def test_nothing_is_held_once_it_has_ended() -> None:
    every = traffic(1000)
    exchange = Exchange(every)
    exchange.hold(10)
    exchange.end()
    exchange.hold(10)  # a batch line that came too late
    assert every.answers == 0
