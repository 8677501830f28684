from __future__ import annotations

import json
import uuid
from typing import Any

import numpy as np
import pytest
from fastapi import Request, Response

from semseg_client import (
    DeadlineExceeded,
    InvalidImage,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    Segmentation,
    SemsegError,
    ServerError,
    Unavailable,
)
from semseg_client.gateway.response import failure, success


def request(log_id: str | None = None) -> Request:
    made = Request({"type": "http"})
    made.state.log_id = log_id
    return made


def content(response: Response) -> Any:
    return json.loads(bytes(response.body))


def segmentation(picture: bytes | None) -> Segmentation:
    label_map = np.frombuffer(bytes([0, 1, 2, 3, 4, 255]), np.uint8).reshape(2, 3)
    return Segmentation(label_map, picture, "demo", (), ())


def test_a_segmentation_is_answered_as_paddlex_does() -> None:
    answer = content(success(request(), segmentation(b"jpeg")))
    assert uuid.UUID(answer.pop("logId")).version == 4
    assert answer == {
        "errorCode": 0,
        "errorMsg": "Success",
        "result": {"labelMap": [0, 1, 2, 3, 4, 255], "size": [2, 3], "image": "anBlZw=="},
    }


def test_without_a_picture_there_is_no_image_key() -> None:
    assert set(content(success(request(), segmentation(None)))["result"]) == {"labelMap", "size"}


def test_the_log_id_of_the_request_comes_back() -> None:
    assert content(success(request("mine"), segmentation(None)))["logId"] == "mine"
    assert content(failure(request("mine"), Overloaded()))["logId"] == "mine"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Overloaded("the server's queue is full"), 503, "The server is busy"),
        (Unavailable("no tritonserver answers at 10.0.0.7:8001"), 503, "The inference server is not available"),
        (ModelNotFound("no model named 'x'"), 503, "The inference server is not available"),
        (InvalidRequest("model: several are served", "model"), 503, "The inference server is not available"),
        (DeadlineExceeded("no answer from 10.0.0.7:8001 in time"), 504, "The inference took too long"),
        (ServerError("Failed to process the request(s), At: /a/b.py"), 500, "Internal server error"),
        (InvalidRequest("unexpected inference output 'picture'"), 500, "Internal server error"),
    ],
)
def test_what_the_server_is_at_fault_for_tells_nothing_of_its_inside(error: SemsegError, status: int, message: str) -> None:
    response = failure(request(), error)
    answer = content(response)
    assert (response.status_code, answer["errorCode"], answer["errorMsg"]) == (status, status, message)
    assert ("retry-after" in response.headers) == (status == 503)
    assert "result" not in answer


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (InvalidImage("image: is truncated"), "body.image"),
        (InvalidRequest("target_size: too large", "target_size"), "body.targetSize"),
    ],
)
def test_what_the_caller_is_at_fault_for_is_422_with_its_place(error: InvalidRequest, place: str) -> None:
    answer = content(failure(request(), error))
    assert answer["errorCode"] == 422
    told = str(error).replace("target_size", "targetSize")  # the caller's own name of it
    assert json.loads(answer["errorMsg"]) == [{"type": "value_error", "loc": place, "msg": told}]
