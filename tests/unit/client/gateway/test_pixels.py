"""Pixel limits, and files that are not images."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from semseg_client import InvalidImage
from semseg_client.gateway import Settings
from semseg_client.gateway.app import create_app
from semseg_client.gateway.request.pixels import checked_pixels
from semseg_client.triton.protocol import TINY_IMAGE
from tests.support import calls_at_most

LONG_JPEG = b"\xff\xd8" + b"\xff" * 2**22


def test_the_header_tells_the_pixels() -> None:
    assert checked_pixels(TINY_IMAGE, 32 * 32) == 32 * 32
    with pytest.raises(InvalidImage, match=r"^image has more than 1023 pixels: 32x32"):
        checked_pixels(TINY_IMAGE, 32 * 32 - 1)


def test_what_the_server_does_not_read_is_refused_by_its_kind() -> None:
    with pytest.raises(InvalidImage, match=r"^image cannot be decoded: it is DDS; send one of JPEG, PNG"):
        checked_pixels(b"DDS " + bytes(300), 1000)
    with pytest.raises(InvalidImage, match=r"^image is empty"):
        checked_pixels(b"", 1000)


def test_a_long_file_without_a_picture_takes_little_work() -> None:
    with calls_at_most(1000), pytest.raises(InvalidImage):
        checked_pixels(LONG_JPEG, 1000)


async def test_long_files_without_a_picture_are_refused() -> None:
    app = create_app(Settings(url="127.0.0.1:1"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        answers = await asyncio.gather(
            *(client.post("/semantic-segmentation", content=LONG_JPEG, headers={"Content-Type": "image/jpeg"}) for _ in range(4))
        )
    assert [answer.status_code for answer in answers] == [422] * 4
