from __future__ import annotations

import pytest

from semseg_client.gateway.access.hosts import Hosts
from semseg_client.gateway.access.origins import Origins

ANY = "0.0.0.0"  # noqa: S104  (nothing is bound)
LOOPBACK = Origins([], Hosts([], "127.0.0.1"))
ANYWHERE = Origins([], Hosts([], ANY))


def test_a_client_that_is_no_browser_sends_neither_header() -> None:
    assert LOOPBACK.admits("POST", "localhost:8080", None, None)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://LOCALHOST"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[::1]", "http://[::1]"),
        ("localhost:443", "https://localhost"),
        ("api.example.com", "https://api.example.com"),  # a proxy terminates TLS: a rebound name has no certificate there
    ],
)
def test_the_gateways_own_page_may(host: str, origin: str) -> None:
    assert LOOPBACK.admits("POST", host, origin, None)
    assert LOOPBACK.admits("POST", host, origin, "same-origin")


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "null",
        "",
        "localhost:8080",
        "file://localhost:8080",
        "chrome-extension://localhost:8080",
        "http://localhost:8080, http://evil.example",
        "http://localhost:8080/",
        "http://localhost:8080@evil.example",
        "http://evil.example#localhost:8080",
    ],
)
def test_another_page_may_not(method: str, origin: str) -> None:
    for site in (None, "cross-site", "same-site", "none"):
        assert not LOOPBACK.admits(method, "localhost:8080", origin, site)
    assert not ANYWHERE.admits(method, "localhost:8080", origin, None)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_without_an_origin_the_browsers_other_word_counts(site: str) -> None:
    assert not LOOPBACK.admits("POST", "localhost:8080", None, site)
    assert LOOPBACK.admits("GET", "localhost:8080", None, site)  # a link to /docs


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_the_browsers_word_counts_against_an_origin_that_looks_like_the_gateways(site: str) -> None:
    assert not LOOPBACK.admits("POST", "localhost:8080", "https://localhost:8080", site)
    assert not LOOPBACK.admits("POST", "localhost:8080", "http://localhost:8080", site)


def test_a_page_that_was_rebound_may_not_though_it_is_of_the_same_origin() -> None:
    """It comes over plain http: browsers do not send Sec-Fetch-Site there, so it is not trusted."""
    for site in (None, "same-origin"):
        assert not ANYWHERE.admits("POST", "evil.example:8080", "http://evil.example:8080", site)
    assert ANYWHERE.admits("POST", "gateway:8080", "http://gateway:8080", None)
    assert Origins([], Hosts(["lab.example.com"], ANY)).admits("POST", "lab.example.com", "http://lab.example.com", None)


def test_a_proxy_that_ends_tls_may_rewrite_the_host() -> None:
    assert LOOPBACK.admits("POST", "127.0.0.1:8080", "https://api.example.com", "same-origin")
    assert not LOOPBACK.admits("POST", "127.0.0.1:8080", "http://api.example.com", "same-origin")


def test_listed_origins_may() -> None:
    origins = Origins(["https://app.example.com"], Hosts([], "127.0.0.1"))
    assert origins.admits("POST", "localhost", "https://app.example.com", "cross-site")
    assert not origins.admits("POST", "localhost", "https://app.example.com.evil.example", "cross-site")
    assert Origins(["*"], Hosts([], "127.0.0.1")).admits("POST", "localhost", "null", "cross-site")
