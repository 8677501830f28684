"""A caller's connection: uvicorn's h11 protocol with limits on how long a caller may take.

httptools is faster, but loses the body of a request that offers to upgrade to HTTP/2, as Java's HttpClient always does.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from ..failures import NO_CONNECTION, NO_HTTP, TOO_SLOW, Failure
from ..pace import Pace
from .envelope import written
from .exchange import Exchange
from .log_id import HEADER, new_log_id
from .media import JSON
from .traffic import Traffic

_LINGER = 5.0  # seconds to read the rest of a refused body, so that the caller gets to see the answer
_FAREWELL = 0.5  # seconds for an idle caller to close its end when the service shuts down
# Seconds between reads of a refused body: without a pause, dozens of megabytes from many callers block others for a second.
_REST = 0.02


class Connection(H11Protocol):
    """Closes the connection if a request's head or body, or the caller's reading of the answer, takes too long."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self._traffic: Traffic = app_state["traffic"]
        self._limits = self._traffic.settings
        self.exchange: Exchange | None = None
        self.reading = Pace()
        self._sending = Pace()
        self._received = 0  # bytes of this request
        self._idle = 0.0  # s
        self._expects = False  # whether the caller waits for 100 Continue before sending the body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self._traffic.came(self):
            self._refuse(NO_CONNECTION)

    def connection_lost(self, exc: Exception | None) -> None:
        self._traffic.went(self)
        super().connection_lost(exc)
        self.app_state = {}  # breaks a reference cycle

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._refused_body:
            self.flow.pause_reading()
            self.loop.call_later(_REST, self._read_on)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.cycle.response_complete:
            self._traffic.idle.pop(self, None)
            self.exchange = None
            self.reading, self._sending = Pace(), Pace()
            self._received = 0
            self._expects = self.cycle.waiting_for_100_continue

    def on_response_complete(self) -> None:
        self._idle = 0.0
        if self in self._traffic.connections:
            self._traffic.idle[self] = None
        if self._expects and self._received == 0 and self.conn.their_state is h11.SEND_BODY:
            self.close()  # the body may or may not follow: it could not be told apart from the next request
        super().on_response_complete()

    @property
    def _refused_body(self) -> bool:
        """Whether incoming data is the rest of the body of a request that has already been answered."""
        answered = self.cycle is not None and self.cycle.response_complete
        return answered and self.conn.their_state is h11.SEND_BODY

    def _read_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self.loop.call_later(_FAREWELL, self.abort)  # TLS would wait half a minute for the caller's close_notify

    def resume_writing(self) -> None:
        super().resume_writing()
        self.reading.stalled = 0.0

    def send_400_response(self, _: str) -> None:
        """Replaces uvicorn's plain-text answer."""
        self._refuse(NO_HTTP)

    def tick(self, seconds: float) -> None:
        """Check the limits, given the `seconds` since the last check."""
        limits = self._limits
        if buffered := self.transport.get_write_buffer_size():
            self.reading.tick((self.exchange.sent if self.exchange else 0) - buffered, seconds)
            if self.reading.too_slow(limits.answer_timeout, limits.min_rate, limits.rate_grace):
                self.abort()
        elif self.cycle is None or self.cycle.response_complete:
            self._idle += seconds
            if self._idle >= (_LINGER if self._refused_body else limits.header_timeout):
                self._end()
        elif self.cycle.more_body and not self.flow.read_paused:
            self._sending.tick(self._received, seconds)
            if self.exchange and self._sending.too_slow(limits.body_timeout, limits.min_rate, limits.rate_grace):
                self.exchange.too_slow = True
                self.cycle.keep_alive = False
                self.cycle.message_event.set()  # wakes the exchange, which then sees `too_slow`

    def close(self) -> None:
        """Close once everything written has been sent."""
        self._unset_keepalive_if_required()
        self.transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _end(self) -> None:
        head_began = self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        if head_began:
            self._refuse(TOO_SLOW)
        else:
            self.close()

    def _refuse(self, failure: Failure) -> None:
        """Answer a request that the application has not seen."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()
            return
        log_id = new_log_id()
        body = written(log_id, failure.status, failure.message)
        headers = [("Content-Type", JSON), ("Content-Length", str(len(body))), ("Connection", "close"), (HEADER, log_id)]
        if failure.retry_after is not None:
            headers.append(("Retry-After", str(failure.retry_after)))
        response = h11.Response(status_code=failure.status, headers=headers, reason=STATUS_PHRASES[failure.status])
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.close()
