"""Limits of pixels, and files that Pillow's readers are not made for."""

from __future__ import annotations

import asyncio
import struct

import httpx
import pytest

from semseg_client import InvalidImage
from semseg_client.conversation import TINY_IMAGE
from semseg_client.gateway import Settings
from semseg_client.gateway.app import create_app
from semseg_client.gateway.request.pixels import checked_pixels

STRANGE_DDS = b"DDS " + struct.pack("<IIII", 124, 0, 8, 8) + bytes(56) + struct.pack("<II", 32, 1) + bytes(200)
LONG_JPEG = b"\xff\xd8" + b"\xff" * 2**22  # which Pillow reads byte by byte


def test_the_header_tells_the_pixels() -> None:
    assert checked_pixels(TINY_IMAGE, 32 * 32) == 32 * 32
    with pytest.raises(InvalidImage, match="more than 1023 pixels: 32x32"):
        checked_pixels(TINY_IMAGE, 32 * 32 - 1)


def test_what_the_server_does_not_read_is_left_to_it() -> None:
    assert checked_pixels(STRANGE_DDS, 1000) is None
    assert checked_pixels(b"no image", 1000) is None


async def test_others_are_answered_while_a_header_is_read() -> None:
    app = create_app(Settings(url="127.0.0.1:1"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        headers = {"Content-Type": "image/jpeg"}
        long = asyncio.create_task(client.post("/semantic-segmentation", content=LONG_JPEG, headers=headers))
        answered = 0
        while not long.done():
            assert (await client.get("/openapi.json")).status_code == 200
            await asyncio.sleep(0.02)
            answered += 1
    assert answered > 5
