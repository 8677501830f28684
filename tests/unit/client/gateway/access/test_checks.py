"""The checks as a caller sees them. No tritonserver runs behind them, so requests that pass get 503."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from semseg_client.gateway import Settings
from semseg_client.gateway.access.key_check import KeyCheck
from semseg_client.gateway.access.keys import Keys
from semseg_client.gateway.access.paths import HEALTH
from semseg_client.gateway.app import create_app
from semseg_client.triton.protocol import TINY_IMAGE

PATH = "/semantic-segmentation"
IMAGE = {"image": b64encode(TINY_IMAGE).decode()}


def client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings(url="127.0.0.1:1", **settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:8080")


async def refused(response: httpx.Response, status: int) -> None:
    answer = response.json()
    assert (response.status_code, answer["errorCode"]) == (status, status)
    assert response.headers["x-log-id"] == answer["logId"]


async def never() -> AsyncIterator[bytes]:
    raise AssertionError("the body was read")
    yield b""


async def test_a_foreign_host_is_421_before_the_body_is_read() -> None:
    async with client() as gateway:
        response = await gateway.post(PATH, content=never(), headers={"Host": "evil.example"})
        await refused(response, 421)
        await refused(await gateway.get("/models", headers={"Host": "evil.example"}), 421)
        await refused(await gateway.get("/docs", headers={"Host": "localhost.evil.example"}), 421)


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost, localhost"], [""], ["a b"]])
async def test_an_odd_host_is_400_but_health_is_told(hosts: list[str]) -> None:
    async with client() as gateway:
        for path, status in (("/models", 400), ("/health", 503)):
            request = gateway.build_request("GET", path)
            del request.headers["host"]
            request.headers = httpx.Headers([*request.headers.multi_items(), *(("Host", host) for host in hosts)])
            await refused(await gateway.send(request), status)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("sent", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_cross_site_post_is_403_before_the_body_is_read(kind: str, sent: dict[str, str]) -> None:
    async with client() as gateway:
        response = await gateway.post(PATH, content=never(), headers={"Content-Type": kind, **sent})
        await refused(response, 403)
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_two_origins_are_none() -> None:
    async with client() as gateway:
        own = "http://localhost:8080"
        await refused(await gateway.post(PATH, json=IMAGE, headers={"Origin": own}), 503)
        await refused(await gateway.post(PATH, json=IMAGE, headers=[("Origin", own), ("Origin", "http://evil.example")]), 403)


async def test_no_page_has_cors_by_default() -> None:
    asks = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    async with client() as gateway:
        await refused(await gateway.options(PATH, headers=asks), 403)


async def test_a_listed_origin_has_cors() -> None:
    origin = "https://app.example.com"
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
        "Access-Control-Request-Private-Network": "true",
    }
    async with client(cors_origins=(origin,)) as gateway:
        preflight = await gateway.options(PATH, headers=asks)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "x-api-key" in preflight.headers["access-control-allow-headers"]
        assert preflight.headers["access-control-allow-private-network"] == "true"
        assert "Origin" in preflight.headers["vary"]
        response = await gateway.post(PATH, json=IMAGE, headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"})
        await refused(response, 503)
        assert response.headers["access-control-allow-origin"] == origin
        assert "Origin" in response.headers["vary"]
        assert {"X-Log-Id", "X-Model-Name"} <= set(response.headers["access-control-expose-headers"].split(", "))
        await refused(await gateway.options(PATH, headers={**asks, "Origin": "https://evil.example"}), 403)
        made_up = await gateway.options(PATH, headers={**asks, "Access-Control-Request-Method": "MADE-UP"})
        await refused(made_up, 400)
        assert made_up.headers["access-control-allow-origin"] == origin


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.yaml"
    file.write_text("alice: first\nbob: {key: second, per_minute: 2}\ncarol: {key: third, concurrent: 1}\n")
    return file


async def test_without_a_key_all_but_health_is_401(keys: Path) -> None:
    async with client(api_keys_file=keys) as gateway:
        for method, path in (("POST", PATH), ("GET", "/models"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/nothing")):
            response = await gateway.request(method, path)
            await refused(response, 401)
            assert response.headers["www-authenticate"].startswith("Bearer")
        await refused(await gateway.post(PATH, content=never()), 401)
        await refused(await gateway.get("/health"), 503)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-API-Key": "first"}, 503),
        ({"Authorization": "Bearer first"}, 503),
        ({"Authorization": "bearer  first"}, 503),
        ({"Authorization": "Basic eDp5", "X-API-Key": "first"}, 503),
        ({"Authorization": "Basic first"}, 401),
        ({"Authorization": "first"}, 401),
        ({"X-API-Key": "alice"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": "sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"}, 401),
        ({"X-API-Key": "\xe9".encode("latin-1")}, 401),
    ],
)
async def test_a_key_lets_in(keys: Path, headers: dict[str, Any], status: int) -> None:
    async with client(api_keys_file=keys) as gateway:
        await refused(await gateway.post(PATH, json=IMAGE, headers=headers), status)


async def test_a_preflight_needs_no_key_and_a_page_can_read_that_it_needs_one(keys: Path) -> None:
    origin = {"Origin": "https://app.example.com"}
    async with client(api_keys_file=keys, cors_origins=("https://app.example.com",)) as gateway:
        assert (await gateway.options(PATH, headers={**origin, "Access-Control-Request-Method": "POST"})).status_code == 200
        response = await gateway.post(PATH, json=IMAGE, headers=origin)
        await refused(response, 401)
        assert response.headers["access-control-allow-origin"] == "https://app.example.com"


async def test_the_description_tells_of_keys_where_they_are_asked_for(keys: Path) -> None:
    async with client(api_keys_file=keys) as gateway:
        described = (await gateway.get("/openapi.json", headers={"X-API-Key": "first"})).json()
    validate(described)
    schemes = described["components"].pop("securitySchemes")
    assert schemes["ApiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert schemes["Bearer"] == {"type": "http", "scheme": "bearer"}
    assert described.pop("security") == [{"ApiKey": []}, {"Bearer": []}]
    assert [described["paths"][path]["get"].pop("security") for path in HEALTH] == [[], [], []]
    async with client() as gateway:
        assert (await gateway.get("/openapi.json")).json() == described


async def test_a_key_over_its_rate_is_429_and_told_when_to_come_again(keys: Path) -> None:
    async with client(api_keys_file=keys) as gateway:
        second = {"X-API-Key": "second"}
        statuses = [(await gateway.post(PATH, json=IMAGE, headers=second)).status_code for _ in range(2)]
        response = await gateway.post(PATH, json=IMAGE, headers=second)
        await refused(response, 429)
        assert statuses == [503, 503]
        assert 0 < int(response.headers["retry-after"]) <= 30
        await refused(await gateway.post(PATH, json=IMAGE, headers={"X-API-Key": "first"}), 503)


async def test_a_key_has_no_more_requests_under_way_than_it_may(keys: Path) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        inside.set()
        await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(KeyCheck(slow, Keys(keys)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers={"X-API-Key": "third"}) as gateway:
        first = asyncio.create_task(gateway.get("/"))
        await inside.wait()
        response = await gateway.get("/")
        await refused(response, 429)
        assert response.headers["retry-after"] == "1"
        go_on.set()
        assert (await first).status_code == 200
        assert (await gateway.get("/")).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health", "/models", PATH, "/nothing"])
async def test_head_is_answered_as_get_without_the_body(path: str) -> None:
    async with client() as gateway:
        head, get = await gateway.head(path), await gateway.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
