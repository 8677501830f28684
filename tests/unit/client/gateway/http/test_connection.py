"""A connection on a transport that only records what happens to it, with a test application."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from fastapi import Request
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from semseg_client.gateway import Settings
from semseg_client.gateway.failures import Failed
from semseg_client.gateway.http.connection import Connection
from semseg_client.gateway.http.envelope import failed
from semseg_client.gateway.http.exchange import Exchange
from semseg_client.gateway.http.traffic import Traffic
from semseg_client.gateway.overload import OverloadCheck

HEAD = b"POST /semantic-segmentation HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread = 0  # bytes that the caller has not read
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    @property
    def answer(self) -> tuple[int, dict[str, Any]]:
        head, _, body = self.written.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, and answers with an empty JSON object."""
    body, more = b"", True
    try:
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
    except Failed as error:
        await failed(Request(scope), error)(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


class Callers:
    def __init__(self, **settings: Any) -> None:
        self.traffic = Traffic(Settings(workers=1, **settings))
        self._config = Config(OverloadCheck(application, self.traffic, lambda _: None), log_level="critical")
        self._config.load()

    def come(self) -> tuple[Connection, Wire]:
        connection = Connection(self._config, ServerState(), {"traffic": self.traffic}, asyncio.get_running_loop())
        wire = Wire()
        connection.connection_made(wire)
        return connection, wire


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_sends_nothing_is_closed_without_a_word() -> None:
    callers = Callers(header_timeout=10)
    _, wire = callers.come()
    callers.traffic.tick(9.9)
    assert not wire.ended
    callers.traffic.tick(0.2)
    assert (wire.ended, wire.written) == ("closed", b"")


async def test_who_does_not_end_its_head_is_told() -> None:
    callers = Callers(header_timeout=10)
    connection, wire = callers.come()
    for each in HEAD[:10]:
        connection.data_received(bytes([each]))
        callers.traffic.tick(1)
    assert wire.answer[0] == 408
    assert wire.answer[1]["errorCode"] == 408
    assert wire.ended == "closed"


async def test_a_body_that_stops_is_408_and_the_connection_ends() -> None:
    callers = Callers(body_timeout=10)
    connection, wire = callers.come()
    connection.data_received(HEAD + b"x")
    await settle()
    callers.traffic.tick(5)
    connection.data_received(b"x")
    callers.traffic.tick(5)
    callers.traffic.tick(9)
    await settle()
    assert not wire.written
    callers.traffic.tick(1)
    await settle()
    assert wire.answer[0] == 408
    assert wire.ended == "closed"
    assert callers.traffic.bodies == 0


async def test_a_body_that_trickles_is_408_after_the_grace() -> None:
    callers = Callers(min_rate=2, rate_grace=20)
    connection, wire = callers.come()
    connection.data_received(HEAD)
    for second in range(25):
        connection.data_received(b"x")
        callers.traffic.tick(1)
        await settle()
        assert bool(wire.written) == (second >= 20)
    assert wire.answer[0] == 408


async def test_a_caller_that_waits_for_its_answer_may_wait() -> None:
    callers = Callers(header_timeout=1, body_timeout=1, answer_timeout=1)
    connection, wire = callers.come()
    connection.data_received(HEAD + b"x" * 100)
    callers.traffic.tick(100)
    await settle()
    assert wire.answer[0] == 200
    assert not wire.ended


async def test_who_does_not_read_its_answer_is_cut() -> None:
    callers = Callers(answer_timeout=30, rate_grace=1000)
    connection, wire = callers.come()
    connection.data_received(HEAD + b"x" * 100)
    await settle()
    wire.unread = 1000
    callers.traffic.tick(20)
    wire.unread = 999
    callers.traffic.tick(20)
    callers.traffic.tick(9)
    assert not wire.ended
    callers.traffic.tick(21)
    assert wire.ended == "aborted"


async def test_of_an_answer_in_pieces_each_piece_that_is_taken_counts() -> None:
    callers = Callers(answer_timeout=30, rate_grace=1000)
    connection, wire = callers.come()
    connection.data_received(HEAD)
    await settle()
    wire.unread = 1000
    for _ in range(10):
        callers.traffic.tick(20)
        connection.pause_writing()
        connection.resume_writing()  # then an equally large piece is written
    assert not wire.ended


async def test_a_connection_too_many_closes_the_one_that_has_idled_longest() -> None:
    callers = Callers(max_connections=3)
    (busy, _), (first, first_wire), (_, second_wire) = callers.come(), callers.come(), callers.come()
    busy.data_received(HEAD)
    first.data_received(HEAD + b"x" * 100)
    await settle()  # the first gets its answer after the second has connected
    _, wire = callers.come()
    assert (first_wire.ended, second_wire.ended, wire.ended) == ("", "closed", "")


async def test_a_connection_is_refused_only_if_none_is_idle() -> None:
    callers = Callers(max_connections=2)
    for connection, _ in (callers.come(), callers.come()):
        connection.data_received(HEAD)
    _, wire = callers.come()
    assert wire.answer[0] == 503
    assert b"Retry-After: 1\r\n" in wire.written
    assert wire.ended == "closed"


async def test_a_place_is_free_once_a_connection_is_lost() -> None:
    callers = Callers(max_connections=1)
    connection, _ = callers.come()
    connection.data_received(HEAD)
    connection.connection_lost(None)
    assert not callers.come()[1].ended


async def test_the_slowest_readers_are_cut_when_answers_take_half_of_the_memory() -> None:
    callers = Callers(answer_memory=1000)
    wires = []
    for read in (500, 10, 1000):
        connection, wire = callers.come()
        connection.data_received(HEAD)
        await settle()
        exchange = cast("Exchange", connection.exchange)
        exchange.hold(300)
        exchange.sent = read + 100
        wire.unread = 100
        wires.append(wire)
    callers.traffic.tick(0.25)
    assert [wire.ended for wire in wires] == ["", "", ""]  # too early to judge
    callers.traffic.tick(0.25)
    assert [wire.ended for wire in wires] == ["aborted", "aborted", ""]


@pytest.mark.parametrize("garbage", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
async def test_what_is_no_http_is_told_so_in_the_envelope(garbage: bytes) -> None:
    connection, wire = Callers().come()
    connection.data_received(garbage)
    assert wire.answer[0] == 400
    assert wire.answer[1]["errorMsg"] == "This is not an HTTP request"
    assert wire.ended == "closed"


async def test_what_is_left_of_a_refused_body_is_read_for_a_while_only() -> None:
    callers = Callers()
    callers.traffic.answers = callers.traffic.answer_memory + 1
    connection, wire = callers.come()
    connection.data_received(HEAD)
    await settle()
    assert wire.answer[0] == 503
    for _ in range(4):
        connection.data_received(b"x")
        callers.traffic.tick(1)
    assert not wire.ended
    callers.traffic.tick(1)
    assert wire.ended == "closed"


async def test_the_next_request_is_taken_after_a_refused_body() -> None:
    callers = Callers()
    callers.traffic.answers = callers.traffic.answer_memory + 1
    connection, wire = callers.come()
    connection.data_received(HEAD + b"x" * 100)
    await settle()
    callers.traffic.answers, wire.written = 0, b""
    connection.data_received(HEAD + b"x" * 100)
    await settle()
    assert wire.answer[0] == 200


async def test_who_keeps_back_its_body_until_it_is_asked_for_is_closed_when_refused() -> None:
    """Otherwise the caller's next request would be read as this body."""
    callers = Callers()
    callers.traffic.answers = callers.traffic.answer_memory + 1
    connection, wire = callers.come()
    connection.data_received(HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    await settle()
    assert wire.answer[0] == 503
    assert wire.ended == "closed"
