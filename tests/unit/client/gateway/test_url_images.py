"""Images fetched by URL from a real web server on loopback, which is a private address."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from semseg_client import InvalidImage
from semseg_client.gateway.url_images import UrlImages
from tests.website import CONTENT, Website

LOOPBACK = ("127.0.0.0/8",)


async def fetch(url: str, hosts: tuple[str, ...], limit: int = 2**20, timeout: float = 5.0) -> bytes:
    return await UrlImages(hosts, limit, timeout).fetch(url)


async def refused(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidImage) as told:
        await fetch(*arguments, **options)
    return str(told.value)


async def test_what_is_allowed_is_fetched(site: Website) -> None:
    assert await fetch(f"{site.url}/photos/a.jpg", LOOPBACK) == CONTENT
    by_name = site.url.replace("127.0.0.1", "localhost")
    assert await fetch(f"{by_name}/photos/a.jpg", ("localhost", *LOOPBACK)) == CONTENT


async def test_nothing_is_fetched_by_default(site: Website) -> None:
    assert "SEMSEG_IMAGE_HOSTS" in await refused(f"{site.url}/photos/a.jpg", ())
    assert site.asked == []


@pytest.mark.parametrize("hosts", [("example.com",), ("*",), ("10.0.0.0/8",), ("127.0.0.2",), ("127.0.0.1.example.com",)])
async def test_other_hosts_are_not_asked(site: Website, hosts: tuple[str, ...]) -> None:
    assert "SEMSEG_IMAGE_HOSTS" in await refused(f"{site.url}/photos/a.jpg", hosts)
    assert site.asked == []


@pytest.mark.parametrize("hosts", [("localhost",), ("*",)])
async def test_a_name_that_stands_for_a_private_address_is_not_asked(site: Website, hosts: tuple[str, ...]) -> None:
    by_name = site.url.replace("127.0.0.1", "localhost")
    assert "private address" in await refused(f"{by_name}/photos/a.jpg", hosts)
    assert site.asked == []


async def test_a_name_is_looked_up_once(site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a name could have a public address when checked and a private one when connected to."""
    loop = asyncio.get_running_loop()
    looked_up: list[str] = []

    async def lookup(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    assert (
        await fetch(site.url.replace("127.0.0.1", "rebound.example.com") + "/photos/a", ("*.example.com", *LOOPBACK)) == CONTENT
    )
    assert looked_up == ["rebound.example.com"]


async def test_redirects_are_followed_to_allowed_hosts_only(site: Website) -> None:
    assert await fetch(f"{site.url}/to//photos/a.jpg", LOOPBACK) == CONTENT
    other = site.url.replace("127.0.0.1", "127.0.0.2")
    assert "does not list" in await refused(f"{site.url}/to/{other}/photos/a.jpg", ("127.0.0.1",))
    assert "not http" in await refused(f"{site.url}/to/file:///etc/passwd", LOOPBACK)
    assert "too many redirects" in await refused(f"{site.url}/round", LOOPBACK)


async def test_what_is_no_image_is_told(site: Website) -> None:
    assert "answered 404" in await refused(f"{site.url}/none", LOOPBACK)
    assert "larger than 1000 bytes" in await refused(f"{site.url}/photos/a.jpg", LOOPBACK, limit=1000)
    assert "larger than 1048576 bytes" in await refused(f"{site.url}/huge", LOOPBACK)
    assert "within 0.2 s" in await refused(f"{site.url}/silent", LOOPBACK, timeout=0.2)
    assert "within 0.2 s" in await refused(f"{site.url}/slow", LOOPBACK, timeout=0.2)
    assert "could not be fetched" in await refused(f"{site.url}/cut", LOOPBACK)
    assert "invalid URL" in await refused("http://[::1", LOOPBACK)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "could not be fetched" in await refused(f"http://127.0.0.1:{port}/", LOOPBACK)


async def test_a_mapped_private_address_is_not_a_public_one() -> None:
    assert "SEMSEG_IMAGE_HOSTS" in await refused("http://[::ffff:127.0.0.1]/a.jpg", ("*",))
    assert "private" in await refused("http://169.254.169.254/latest", ("*",))


@pytest.mark.parametrize("address", ["64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::1", "::7f00:1", "fe80::1", "ff0e::1"])
async def test_an_address_that_leads_to_a_private_one_is_not_a_public_one(address: str) -> None:
    assert "private address" in await refused(f"http://[{address}]/a.jpg", ("*",), timeout=1.0)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example.com", "127.0.0.1:65536", "[::1", "a:99999999"])
async def test_a_host_that_cannot_be_is_told_also_where_a_redirect_names_it(site: Website, host: str) -> None:
    hosts = ("*", *LOOPBACK)
    assert "invalid URL" in await refused(f"http://{host}/a.jpg", hosts)
    assert "invalid URL" in await refused(f"{site.url}/to/http://{host}/a.jpg", hosts)
