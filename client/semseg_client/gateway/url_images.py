"""Images given by URL: fetched only from hosts that the server's owner allows.

A name in a URL may resolve to an address inside the owner's network, now or at a second lookup. So it is resolved once, its
addresses are checked, and the connection goes to one of them. Redirects are checked the same way. No proxy is used: it would
resolve names itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from ssl import SSLContext
from urllib.parse import urljoin

import httpcore
import httpx

from ..errors import InvalidImage

_MOST_HOPS = 5
_LAST_PORT = 65535
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = [("User-Agent", "paddle-semseg-triton"), ("Accept", "image/*, */*;q=0.5"), ("Accept-Encoding", "identity")]

_NOT_VALID = "image is, or redirects to, an invalid URL"
_UNICAST = ipaddress.IPv6Network("2000::/3")  # contains all public addresses
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class UrlImages:
    """Fetches images of at most `limit` bytes within `timeout` seconds from `hosts`, which is `Settings.image_hosts`."""

    def __init__(self, hosts: Sequence[str], limit: int, timeout: float) -> None:
        self._hosts = _Hosts(hosts)
        self._limit = limit
        self._timeout = timeout

    async def fetch(self, url: str) -> bytes:
        """The file at an http:// or https:// URL.

        Raises:
            InvalidImage: it cannot be fetched, or fetching it is not allowed.
        """
        try:
            return await asyncio.wait_for(self._fetch(url), self._timeout)
        except (asyncio.TimeoutError, httpcore.TimeoutException):
            raise InvalidImage(f"image could not be fetched within {self._timeout:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise InvalidImage("image could not be fetched: the host gave no valid answer") from None

    async def _fetch(self, url: str) -> bytes:
        here = _parsed(url)
        async with httpcore.AsyncConnectionPool(ssl_context=_trusted(), network_backend=_Backend(self._hosts)) as pool:
            for _ in range(_MOST_HOPS):
                self._hosts.check_name(here.raw_host.decode("ascii"))
                host = ("Host", here.netloc.decode("ascii"))
                async with pool.stream("GET", str(here), headers=[host, *_HEADERS]) as response:
                    headers = httpx.Headers(response.headers)
                    if response.status in _REDIRECTS and "location" in headers:
                        here = _parsed(headers["location"], str(here))
                        continue
                    if response.status != 200:
                        raise InvalidImage(f"image could not be fetched: the host answered {response.status}")
                    return await self._content(response, headers.get("content-length", ""))
        raise InvalidImage("image could not be fetched: too many redirects")

    async def _content(self, response: httpcore.Response, announced: str) -> bytes:
        content = bytearray()
        self._check_size(int(announced) if announced.isdecimal() else 0)
        async for chunk in response.aiter_stream():
            content += chunk
            self._check_size(len(content))
        return bytes(content)

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise InvalidImage(f"image at the URL is larger than {self._limit} bytes")


class _Hosts:
    """The allowed hosts: name patterns and networks."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._names = [each for each in allowed if not _is_network(each)]
        self._networks = [ipaddress.ip_network(each) for each in allowed if _is_network(each)]

    def check_name(self, host: str) -> None:
        """Raise InvalidImage unless a URL's host, a name or an address, is allowed as written."""
        listed = _is_network(host) and self._listed(ipaddress.ip_address(host))
        if not listed and not any(fnmatchcase(host.rstrip("."), pattern) for pattern in self._names):
            raise InvalidImage("image may not be fetched from that host: SEMSEG_IMAGE_HOSTS does not list it")

    def check_address(self, address: _Address) -> None:
        """Raise InvalidImage unless the address, to which a name may resolve, is public or listed."""
        if not (self._listed(address) or _public(address)):
            raise InvalidImage("image may not be fetched from a private address: SEMSEG_IMAGE_HOSTS does not list it")

    def _listed(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _is_network(text: str) -> bool:
    """Whether the text is a network or a single address."""
    with suppress(ValueError):
        ipaddress.ip_network(text)
        return True
    return False


def _public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        within = address.ipv4_mapped or address.sixtofour or _behind_nat64(address)
        if within is not None:  # traffic ends up at that address
            return _public(within)
        return address.is_global and address in _UNICAST
    return address.is_global and not address.is_multicast


def _behind_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that have been checked."""

    def __init__(self, hosts: _Hosts) -> None:
        self._hosts = hosts
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label of the name is empty or too long
            raise InvalidImage(_NOT_VALID) from None
        addresses = [str(each[4][0]) for each in found]
        for address in addresses:
            self._hosts.check_address(ipaddress.ip_address(address))
        return await self._network.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _parsed(url: str, base: str = "") -> httpx.URL:
    try:
        parsed = httpx.URL(urljoin(base, url))
    except (httpx.InvalidURL, ValueError):
        raise InvalidImage(_NOT_VALID) from None
    if parsed.port is not None and parsed.port > _LAST_PORT:
        raise InvalidImage(_NOT_VALID)
    if parsed.scheme not in ("http", "https") or not parsed.raw_host:
        raise InvalidImage("image is, or redirects to, a URL that is not http:// or https://")
    return parsed.copy_with(username=None, password=None, fragment=None)


@cache
def _trusted() -> SSLContext:
    return httpx.create_ssl_context()
