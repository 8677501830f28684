"""Requests that a browser sends on behalf of another site's page (cross-site request forgery).

A page may POST to any address without a preflight if its Content-Type is text or a form. The browser states where such a
request comes from in headers that no page can set (https://fetch.spec.whatwg.org/#origin-header,
https://www.w3.org/TR/fetch-metadata/). Other clients do not send these.
"""

from __future__ import annotations

from collections.abc import Sequence

from .hosts import Hosts, host_name

_SAFE = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": "80", "https": "443"}


class Origins:
    """`listed` is SEMSEG_CORS_ORIGINS."""

    def __init__(self, listed: Sequence[str], hosts: Hosts) -> None:
        self._listed = frozenset(listed)
        self._all = "*" in listed
        self._hosts = hosts

    def admits(self, method: str, host: str, origin: str | None, site: str | None) -> bool:
        """Whether a request with these headers `Host`, `Origin` and `Sec-Fetch-Site` may be served."""
        if self._all or origin in self._listed:
            return True
        if origin is None:
            return method in _SAFE or site in (None, "same-origin", "none")
        return self._is_own(host.lower(), origin.lower(), site)

    def _is_own(self, host: str, origin: str, site: str | None) -> bool:
        """Whether the page came from the gateway itself.

        Over https, a rebound name would fail the browser's certificate check, so an https page may have any public name.
        The proxy that terminates TLS may have rewritten `Host`; then the browser's `Sec-Fetch-Site` decides.
        """
        scheme, _, place = origin.partition("://")
        if scheme not in _PORTS or site in ("cross-site", "same-site"):  # the origin may be null, or a browser extension
            return False
        same = _with_port(place, scheme) == _with_port(host, scheme)
        if scheme == "https":
            return same or site == "same-origin"
        name = host_name(place)
        return same and name is not None and self._hosts.knows(name)


def _with_port(place: str, scheme: str) -> str:
    return place if place.rpartition(":")[2].isdecimal() else f"{place}:{_PORTS[scheme]}"
