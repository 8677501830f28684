from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from fastapi import Request, Response

from semseg_client import DeadlineExceeded, InvalidImage, InvalidRequest, Overloaded, SemsegError, ServerError, Unavailable
from semseg_client.gateway.failures import invalid
from semseg_client.gateway.http.envelope import as_failed, envelope, failed
from semseg_client.gateway.request import ImageRequest
from semseg_client.gateway.schemas import Options


def request(**headers: str) -> Request:
    return Request(
        {"type": "http", "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}
    )


def content(response: Response) -> Any:
    return json.loads(bytes(response.body))


def test_the_log_id_is_the_same_in_body_and_header() -> None:
    response = envelope(request(), 200, "Healthy")
    assert uuid.UUID(content(response)["logId"]).version == 4
    assert response.headers["x-log-id"] == content(response)["logId"]


def test_the_callers_log_id_comes_back_from_wherever_it_was_sent() -> None:
    assert content(envelope(request(x_log_id="mine"), 200, "Healthy"))["logId"] == "mine"
    assert content(failed(request(x_log_id="other"), invalid("body", "wrong", "mine")))["logId"] == "mine"


def test_a_log_id_that_a_header_cannot_carry_is_percent_encoded_there() -> None:
    response = failed(request(), invalid("body", "wrong", "帧\r\nX: 1"))
    assert content(response)["logId"] == "帧\r\nX: 1"
    assert response.headers["x-log-id"] == "%E5%B8%A7%0D%0AX: 1"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Overloaded("the server's queue is full"), 503, "The server is busy"),
        (Unavailable("no tritonserver answers at 10.0.0.7:8001"), 503, "The inference server is not available"),
        (DeadlineExceeded("no answer from 10.0.0.7:8001 in time"), 504, "The inference took too long"),
        (ServerError("Failed to process the request(s), At: /a/b.py"), 500, "Internal server error"),
        (InvalidRequest("unexpected inference output 'picture'"), 500, "Internal server error"),
    ],
)
def test_what_the_server_is_at_fault_for_tells_nothing_of_its_inside(error: SemsegError, status: int, message: str) -> None:
    response = failed(request(), as_failed(error))
    answer = content(response)
    assert (response.status_code, answer["errorCode"], answer["errorMsg"]) == (status, status, message)
    assert ("retry-after" in response.headers) == (status == 503)
    assert "result" not in answer


@pytest.mark.parametrize(
    ("error", "places"),
    [
        (InvalidImage("image: is truncated"), ("body.image", "body")),
        (InvalidRequest("target_size: too large", "target_size"), ("body.targetSize", "query.targetSize")),
        (InvalidRequest("model: several models are served, name one of them: A, B", "model"), ("body.model", "query.model")),
    ],
)
def test_what_the_caller_is_at_fault_for_is_422_with_its_place(error: InvalidRequest, places: tuple[str, str]) -> None:
    told = str(error).replace("target_size", "targetSize")  # the caller's name for it
    options = Options.model_validate({})
    for asked, place in zip(
        (ImageRequest(b"", options, "body.image", "body"), ImageRequest(b"", options, "body", "query")), places, strict=True
    ):
        answer = content(failed(request(), asked.refused(error)))
        assert answer["errorCode"] == 422
        assert json.loads(answer["errorMsg"]) == [{"type": "value_error", "loc": place, "msg": told}]
