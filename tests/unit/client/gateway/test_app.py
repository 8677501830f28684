"""The application, as far as no tritonserver is needed: none answers at its address."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from semseg_client.gateway import Settings, create_app

PATH = "/semantic-segmentation"


@pytest.fixture
async def gateway() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(url="127.0.0.1:1", max_body_bytes=1000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"no JSON", "body"),
        (b"{}", "body.image"),
        (b'{"image": 1}', "body.image"),
        (b'{"image": "!"}', "body.image"),
        (b'{"image": ""}', "body.image"),
        (b'{"image": "https://a.b/c.png"}', "body.image"),
        (b'{"image": "aGk=", "targetSize": 0}', "body.targetSize"),
    ],
)
async def test_a_wrong_request_is_422_before_it_costs_anything(gateway: httpx.AsyncClient, body: bytes, place: str) -> None:
    response = await gateway.post(PATH, content=body)
    answer = response.json()
    assert (response.status_code, answer["errorCode"]) == (422, 422)
    assert [error["loc"] for error in json.loads(answer["errorMsg"])] == [place]


@pytest.mark.parametrize("body", [b'{"logId": "mine"}', b'{"logId": "mine", "image": ""}', b'{"logId": "mine", "image": "aGk="}'])
async def test_every_error_carries_the_log_id_that_was_sent(gateway: httpx.AsyncClient, body: bytes) -> None:
    assert (await gateway.post(PATH, content=body)).json()["logId"] == "mine"


async def test_without_a_server_it_is_503_and_try_again(gateway: httpx.AsyncClient) -> None:
    response = await gateway.post(PATH, json={"image": "aGk="})
    assert (response.status_code, response.json()["errorCode"], response.headers["retry-after"]) == (503, 503, "1")


async def test_health_says_what_is_wrong(gateway: httpx.AsyncClient) -> None:
    response = await gateway.get("/health")
    assert response.status_code == 503
    assert response.json()["errorMsg"] == "Unhealthy: no tritonserver answers at 127.0.0.1:1"


async def test_a_body_that_is_too_large_is_413(gateway: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    for body in (b"x" * 1001, chunks()):
        response = await gateway.post(PATH, content=body)
        assert response.status_code == 413
        assert response.json()["errorMsg"] == "The request body is larger than 1000 bytes"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", PATH, 405, "Method Not Allowed"),
        ("POST", "/health", 405, "Method Not Allowed"),
    ],
)
async def test_other_errors_are_in_the_envelope(
    gateway: httpx.AsyncClient, method: str, path: str, status: int, message: str
) -> None:
    response = await gateway.request(method, path)
    answer = response.json()
    assert (response.status_code, answer["errorCode"], answer["errorMsg"]) == (status, status, message)


async def test_a_defect_of_ours_tells_nothing_of_its_inside() -> None:
    app = create_app(Settings(url="127.0.0.1:1"))

    @app.get("/defect")
    async def defect() -> None:
        raise KeyError("secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = (await client.get("/defect")).json()
    assert (answer["errorCode"], answer["errorMsg"]) == (500, "Internal server error")


async def test_the_description_has_the_bodies_with_examples(gateway: httpx.AsyncClient) -> None:
    description = (await gateway.get("/openapi.json")).json()
    operation = description["paths"][PATH]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"image", "targetSize", "visualize", "logId"}
    assert all(field["examples"] for field in body["properties"].values())
    assert set(operation["responses"]) == {"200", "413", "422", "500", "503", "504"}
    assert set(description["components"]["schemas"]["SegmentationResult"]["properties"]) == {"labelMap", "size", "image"}
