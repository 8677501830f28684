"""Downloads an image into memory."""

from __future__ import annotations

import re
import ssl
import time
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from .pages import NoImage

MEGABYTE = 2**20
MOST_BYTES = 256 * MEGABYTE

_HEADERS = {"User-Agent": "paddle-semseg-triton"}


def download(url: str, most_bytes: int = MOST_BYTES, timeout: float = 30.0, deadline: float = 600.0) -> bytes:
    """Download an http:// or https:// URL. Redirects are followed only to such URLs.

    `timeout` is how long the server may send nothing, `deadline` the limit for the whole download, both in seconds.

    Raises:
        NoImage: it cannot be downloaded; the message gives the reason and what to do.
        ModuleNotFoundError: httpx is not installed.
    """
    import httpx

    latest = time.monotonic() + deadline
    content = bytearray()
    try:
        with httpx.stream("GET", url, headers=_HEADERS, follow_redirects=True, timeout=timeout, verify=_trusted()) as response:
            if response.status_code != 200:
                status = f"{response.status_code} {response.reason_phrase}".rstrip()
                raise NoImage(f"the server answered {status}: check the address")
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise NoImage("is a web page: pass the address of the image itself")
            # Refuse too large a body before it arrives, if its length is announced. The announced length may be wrong.
            announced = response.headers.get("Content-Length", "")
            _check_size(int(announced) if announced.isdecimal() else 0, most_bytes)
            for block in response.iter_bytes():
                content += block
                _check_size(len(content), most_bytes)
                if time.monotonic() > latest:
                    raise NoImage(f"was not complete after {deadline:g} s: download it by other means and pass the file")
    except httpx.TimeoutException as error:
        raise NoImage(f"the server sent nothing for {timeout:g} s: try again") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise NoImage(f"is not an http:// or https:// address, or redirects to something else: {error}") from error
    except httpx.TooManyRedirects as error:
        raise NoImage("redirects too many times: check the address") from error
    except httpx.ConnectError as error:
        raise NoImage(f"the server cannot be reached ({error}): check the address and the network") from error
    except ValueError as error:  # a host name with an empty label, or an unsupported kind of proxy in the environment
        raise NoImage(f"cannot be requested ({error}): check the address and the proxy in the environment") from error
    except httpx.HTTPError as error:
        raise NoImage(f"the transfer broke off ({str(error) or type(error).__name__}): try again") from error
    return bytes(content)


def file_name(url: str) -> str:
    """A name for the file at `url`: the last part of its path, or else the host."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise NoImage(f"is not a valid address: {error}") from error
    name = PurePosixPath(unquote(parts.path)).name or parts.hostname or "download"
    return re.sub(r"[^\w. -]", "_", name)  # a decoded %5C or %00 must not get into a path


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates that httpx trusts. Loading them takes 30 ms, too much for each image."""
    import httpx

    return httpx.create_ssl_context()


def _check_size(size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise NoImage(f"is larger than {most_bytes / MEGABYTE:g} MB: download it by other means and pass the file")
