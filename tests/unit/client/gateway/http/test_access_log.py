from __future__ import annotations

import io
import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.responses import Response

from semseg_client.gateway import Settings
from semseg_client.gateway.app import create_app
from semseg_client.gateway.http import log
from semseg_client.triton.protocol import TINY_IMAGE

IMAGE = b64encode(TINY_IMAGE).decode()
PATH = "/semantic-segmentation"


class Written:
    def __init__(self) -> None:
        self.requests, self.errors = io.StringIO(), io.StringIO()

    def configure(self, form: log.Form) -> None:
        log.configure(form, self.requests, self.errors)


@pytest.fixture
def written() -> Iterator[Written]:
    logger = logging.getLogger(log.__name__)
    before = logger.handlers, logger.propagate, logger.level
    yield Written()
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def client(**settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings(url="127.0.0.1:1", **settings))

    @app.get("/defect")
    async def defect() -> None:
        raise KeyError("inside")

    @app.post("/image")
    async def image() -> Response:
        headers = {"X-Model-Name": "PP-LiteSeg-T", "X-Image-Width": "64", "X-Image-Height": "32"}
        return Response(b"12345", headers=headers)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_a_request_is_one_line_of_json(written: Written, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("alice: secret-key")
    written.configure("json")
    async with client(api_keys_file=tmp_path / "keys") as gateway:
        headers = {"X-API-Key": "secret-key", "X-Log-Id": "mine"}
        await gateway.post("/image", content=b"not seen", params={"query": "unseen"}, headers=headers)
    [line] = written.requests.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("time")[-5] == "."
    assert told.pop("ms") >= 0
    assert told == {
        "level": "info",
        "log_id": "mine",
        "key": "alice",
        "method": "POST",
        "path": "/image",
        "model": "PP-LiteSeg-T",
        "width": 64,
        "height": 32,
        "status": 200,
        "bytes_in": 0,  # the route did not read the body
        "bytes_out": 5,
        "cause": None,
    }
    assert written.errors.getvalue() == ""


async def test_the_callers_mistakes_are_no_errors(written: Written) -> None:
    written.configure("off")
    async with client() as gateway:
        for body in (b"no JSON", b'{"image": "!"}', b"\0\xff"):
            await gateway.post(PATH, content=body)
        await gateway.get("/nothing")
        await gateway.post(PATH, headers={"Host": "evil.example"})
    assert written.requests.getvalue() + written.errors.getvalue() == ""


@pytest.mark.parametrize("form", ["off", "text", "json"])
async def test_a_failure_is_told_once_with_the_log_id_and_the_cause(written: Written, form: log.Form) -> None:
    written.configure(form)
    async with client() as gateway:
        answer = await gateway.post(PATH, json={"image": IMAGE, "logId": "frame-17"})
    assert answer.status_code == 503
    [line] = (written.requests.getvalue() + written.errors.getvalue()).splitlines()
    assert bool(written.errors.getvalue()) == (form == "off")
    for part in (
        "frame-17",
        "503",
        "Unavailable: no tritonserver answers at 127.0.0.1:1",
        "error" if form == "json" else "ERROR",
    ):
        assert part in line
    assert IMAGE not in line


async def test_an_image_of_a_batch_that_fails_is_told_with_its_own_log_id(written: Written) -> None:
    written.configure("json")
    images = [{"image": IMAGE, "logId": "one"}, {"image": "!", "logId": "two"}]
    async with client() as gateway:
        await gateway.post(f"{PATH}/batch", json={"images": images, "logId": "all"})
    told = json.loads(written.errors.getvalue())
    assert (told["log_id"], told["cause"]) == ("one", "Unavailable: no tritonserver answers at 127.0.0.1:1")
    assert json.loads(written.requests.getvalue())["log_id"] == "all"


async def test_a_defect_has_its_traceback_and_the_caller_the_log_id(written: Written) -> None:
    written.configure("json")
    async with client() as gateway:
        answer = await gateway.get("/defect", headers={"X-Log-Id": "mine"})
    assert (answer.status_code, answer.json()["logId"], answer.json()["errorMsg"]) == (500, "mine", "Internal server error")
    told = json.loads(written.requests.getvalue())
    assert (told["log_id"], told["status"], told["cause"]) == ("mine", 500, "KeyError: 'inside'")
    assert 'raise KeyError("inside")' in told["traceback"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("sent", ["a\x1b[31mred", "a\x85b", "a\x7fb", 'a" status=200 x="', "\xe9"])
async def test_what_callers_send_cannot_add_to_a_line(written: Written, form: log.Form, sent: str) -> None:
    written.configure(form)
    async with client() as gateway:
        await gateway.get("/nothing", headers={"X-Log-Id": sent.encode("latin-1")})
        await gateway.get("/nothing%0A%0D%1B%5B31m%E2%80%A8x")
        await gateway.post(PATH, json={"logId": f"{sent}\n\u2028"})
    told = written.requests.getvalue()
    assert told.isascii()
    assert len(told.splitlines()) == 3
    assert all(character >= " " and character != "\x7f" for line in told.split("\n") for character in line)
    assert " status=200" not in told.replace('\\" status=200', "")


async def test_a_long_path_is_cut(written: Written) -> None:
    written.configure("text")
    async with client() as gateway:
        await gateway.get("/" + "x" * 5000)
    assert len(written.requests.getvalue()) < 1500


@pytest.mark.parametrize(
    ("headers", "log_id"),
    [
        ({"X-Request-Id": "theirs"}, "theirs"),
        ({"X-Request-Id": "theirs", "X-Log-Id": "ours"}, "ours"),
        ({"X-Request-Id": "theirs", "X-Log-Id": ""}, "theirs"),
        ({"X-Request-Id": "theirs", "X-Log-Id": "x" * 257}, "theirs"),
    ],
)
async def test_a_request_id_is_a_log_id(headers: dict[str, str], log_id: str) -> None:
    async with client() as gateway:
        assert (await gateway.get("/health", headers=headers)).json()["logId"] == log_id
        answer = await gateway.post(PATH, json={"logId": "body"}, headers=headers)
        assert answer.json()["logId"] == "body"


async def test_every_answer_has_a_log_id() -> None:
    async with client() as gateway:
        for path in ("/docs", "/openapi.json", "/nothing", "/health"):
            assert (await gateway.get(path)).headers["x-log-id"]
