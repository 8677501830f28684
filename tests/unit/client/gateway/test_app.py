"""The application without a tritonserver: nothing listens at the server's address."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from openapi_spec_validator import validate

from semseg_client.gateway import Settings
from semseg_client.gateway.app import create_app
from semseg_client.gateway.schemas import OUTPUTS
from semseg_client.triton.protocol import TINY_IMAGE

PATH = "/semantic-segmentation"


@pytest.fixture
async def gateway() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(url="127.0.0.1:1", max_body_bytes=1000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
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


@pytest.mark.parametrize(
    ("headers", "query", "place"),
    [
        ({"Content-Type": "image/png"}, {"targetSize": "0"}, "query.targetSize"),
        ({"Content-Type": "image/png"}, {"outputs": "labelMap,map"}, "query.outputs"),
        ({"Content-Type": "application/octet-stream"}, {"visualize": "perhaps"}, "query.visualize"),
    ],
)
async def test_wrong_options_in_the_query_are_422(
    gateway: httpx.AsyncClient, headers: dict[str, str], query: dict[str, str], place: str
) -> None:
    response = await gateway.post(PATH, content=b"image", headers=headers, params=query)
    assert [error["loc"] for error in json.loads(response.json()["errorMsg"])] == [place]


async def test_an_empty_image_file_is_422(gateway: httpx.AsyncClient) -> None:
    for arguments, place in (
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, "body"),
        ({"files": {"image": b""}}, "body.image"),
        ({"files": {"picture": b"x"}}, "body.image"),
        ({"files": {"image": b"x"}, "data": {"targetSize": "0"}}, "body.targetSize"),
        ({"files": [("image", b"x"), ("image", b"y")]}, "body"),
    ):
        response = await gateway.post(PATH, **arguments)
        assert response.status_code == 422
        assert [error["loc"] for error in json.loads(response.json()["errorMsg"])] == [place]


async def test_an_image_of_too_many_pixels_is_422_before_it_is_decoded() -> None:
    app = create_app(Settings(url="127.0.0.1:1", max_pixels=1000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.post(PATH, content=TINY_IMAGE, headers={"Content-Type": "image/png"})
    assert "more than 1000 pixels: 32x32" in response.json()["errorMsg"]


@pytest.mark.parametrize("charset", ["utf-7", "punycode", "undefined", "unicode_escape"])
async def test_a_form_in_another_charset_is_415(gateway: httpx.AsyncClient, charset: str) -> None:
    """Some of Python's codecs fail, and others produce a log id that cannot be encoded."""
    body = b'--x\r\nContent-Disposition: form-data; name="logId"\r\n\r\n\\ud800+2AA-\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    response = await gateway.post(PATH, content=body, headers={"Content-Type": kind})
    assert (response.status_code, response.json()["errorMsg"]) == (415, "Send the form in UTF-8")


async def test_a_log_id_that_is_too_long_does_not_come_back(gateway: httpx.AsyncClient) -> None:
    response = await gateway.post(PATH, params={"logId": "x" * 257}, content=b"image", headers={"Content-Type": "image/png"})
    assert (response.status_code, len(response.json()["logId"])) == (422, 36)


async def test_a_body_of_unannounced_length_is_411(gateway: httpx.AsyncClient) -> None:
    request = gateway.build_request("POST", PATH, content=b"{}")
    del request.headers["content-length"]
    assert (await gateway.send(request)).status_code == 411


@pytest.mark.parametrize("body", [b'{"logId": "mine"}', b'{"logId": "mine", "image": ""}', b'{"logId": "mine", "image": "aGk="}'])
async def test_every_error_carries_the_log_id_that_was_sent(gateway: httpx.AsyncClient, body: bytes) -> None:
    assert (await gateway.post(PATH, content=body)).json()["logId"] == "mine"


async def test_without_a_server_it_is_503_and_try_again(gateway: httpx.AsyncClient) -> None:
    response = await gateway.post(PATH, content=TINY_IMAGE, headers={"Content-Type": "image/png"})
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
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = (await client.get("/defect")).json()
    assert (answer["errorCode"], answer["errorMsg"]) == (500, "Internal server error")


async def test_the_description_has_the_bodies_with_examples(gateway: httpx.AsyncClient) -> None:
    description = (await gateway.get("/openapi.json")).json()
    operation = description["paths"][PATH]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"image", "targetSize", "visualize", "logId", "model", "outputs"}
    assert all(field["examples"] for field in body["properties"].values())
    assert set(description["components"]["schemas"]["SegmentationResult"]["properties"]) == {*OUTPUTS, "size"}


async def test_the_description_is_valid(gateway: httpx.AsyncClient) -> None:
    validate((await gateway.get("/openapi.json")).json())


async def test_the_described_page_takes_nothing_from_another_host(gateway: httpx.AsyncClient) -> None:
    page = (await gateway.get("/docs")).text
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(sources) >= 3
    for source in sources:
        assert (await gateway.get(source)).status_code == 200
    assert "//" not in page.replace("// `SwaggerUIBundle`", "").replace("<!--", "")
