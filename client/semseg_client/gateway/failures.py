"""Every way a request can fail, in one table, which docs/contract.md repeats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True)
class Failure:
    """A row of the table: the HTTP status (also the error code), when it is returned, and the message."""

    status: int
    when: str
    message: str
    retry_after: int | None = None  # s


BROKEN_OFF = Failure(
    400, "the caller disconnected before the request was complete or answered", "The caller closed the connection"
)
BAD_HOST = Failure(400, "`Host` is missing, repeated, or not a name or address", "The Host header must be one name or address")
NO_KEY = Failure(
    401,
    "`SEMSEG_API_KEYS_FILE` is set, and the request carries none of its keys",
    "Send an API key in X-API-Key or as a Bearer token",
)
CROSS_SITE = Failure(
    403,
    "a browser sent it for another site's page, which `SEMSEG_CORS_ORIGINS` does not list",
    "Requests from this origin are not allowed",
)
NO_HTTP = Failure(400, "the bytes received are not HTTP/1.1", "This is not an HTTP request")
NOT_FOUND = Failure(404, "the path does not exist", "Not Found")
NO_SUCH_METHOD = Failure(405, "the path does not support the method; `Allow` lists those it does", "Method Not Allowed")
NOT_ACCEPTABLE = Failure(406, "`Accept` lists no type that the path can return", "The answer is available as {kinds}")
TOO_SLOW = Failure(
    408,
    "the request stalls for `SEMSEG_HEADER_TIMEOUT` or `SEMSEG_BODY_TIMEOUT`, or is slower than `SEMSEG_MIN_RATE`",
    "The request took too long to arrive",
)
NO_LENGTH = Failure(411, "neither `Content-Length` nor `Transfer-Encoding` is sent", "Send Content-Length or Transfer-Encoding")
TOO_LARGE = Failure(413, "the body is larger than `SEMSEG_MAX_BODY_BYTES`", "The request body is larger than {limit} bytes")
UNKNOWN_KIND = Failure(415, "`Content-Type` or `Content-Encoding` is not supported", "Send {kinds}")
INVALID = Failure(
    422,
    "the image, a field, or the model's name is invalid",
    "{errors}, a JSON array of `type`, `loc`, `msg`",
)
OTHER_HOST = Failure(421, "`Host` names a host that is not allowed, see below", "SEMSEG_ALLOWED_HOSTS does not list this host")
TOO_MANY = Failure(429, "the key has reached its rate or concurrency limit", "Too many requests with this key", 1)
DEFECT = Failure(500, "a defect in the server", "Internal server error")
BUSY = Failure(
    503,
    "`SEMSEG_MAX_WAITING` images wait, or as many as can be answered within `SEMSEG_TIMEOUT`; or Triton's queue is full",
    "The server is busy",
    1,
)
NO_ROOM = Failure(
    503,
    "other requests or answers take up `SEMSEG_BODY_MEMORY` or `SEMSEG_ANSWER_MEMORY`",
    "The server has no memory left for this request",
    1,
)
NO_CONNECTION = Failure(
    503, "all `SEMSEG_MAX_CONNECTIONS` connections have requests under way", "The server has too many connections", 1
)
UNAVAILABLE = Failure(503, "Triton or the default model is not available", "The inference server is not available", 1)
SHARED_MEMORY_FULL = Failure(
    503, "Triton's shared memory, `/dev/shm`, is full for the moment", "The server's shared memory is full for the moment", 1
)
SHARED_MEMORY_TOO_SMALL = Failure(
    503,
    "Triton's shared memory, `/dev/shm`, is too small for the image",
    "The server's shared memory (/dev/shm) is too small for this image: send a smaller one, or set targetSize",
)
UNHEALTHY = Failure(503, "`/health` found that a model does not answer", "Unhealthy: {reason}")
TOO_LATE = Failure(504, "the inference took longer than `SEMSEG_TIMEOUT`", "The inference took too long")

TABLE = (
    BROKEN_OFF,
    BAD_HOST,
    NO_KEY,
    CROSS_SITE,
    NO_HTTP,
    NOT_FOUND,
    NO_SUCH_METHOD,
    NOT_ACCEPTABLE,
    TOO_SLOW,
    NO_LENGTH,
    TOO_LARGE,
    UNKNOWN_KIND,
    INVALID,
    OTHER_HOST,
    TOO_MANY,
    DEFECT,
    BUSY,
    NO_ROOM,
    NO_CONNECTION,
    UNAVAILABLE,
    SHARED_MEMORY_FULL,
    SHARED_MEMORY_TOO_SMALL,
    UNHEALTHY,
    TOO_LATE,
)


class Mistake(TypedDict):
    """An error in a request, in PaddleX's form; `loc` is like `body.targetSize`. It holds none of the caller's data."""

    type: str
    loc: str
    msg: str


class Failed(Exception):
    """Ends a request with a failure; `retry_after`, in seconds, overrides the table's."""

    def __init__(self, failure: Failure, *, retry_after: int | None = None, **told: object) -> None:
        super().__init__(failure.status)
        self.failure = failure
        self.retry_after = failure.retry_after if retry_after is None else retry_after
        self.message = failure.message.format(**told) if told else failure.message


class Invalid(Failed):
    """An invalid request; `log_id` is the one it sent, if any."""

    def __init__(self, mistakes: Sequence[Mistake], log_id: str | None = None) -> None:
        super().__init__(INVALID)
        self.message = json.dumps(mistakes)  # as in PaddleX: JSON text inside the JSON
        self.mistakes = mistakes
        self.log_id = log_id


def invalid(place: str, message: str, log_id: str | None = None) -> Invalid:
    """A single error at `place`."""
    return Invalid([{"type": "value_error", "loc": place, "msg": message}], log_id)
