"""Refuses a request on its headers alone, before its body is read."""

from __future__ import annotations

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..failures import BAD_HOST, CROSS_SITE, OTHER_HOST, Failure
from ..http.envelope import envelope
from ..http.root_path import route_path
from ..settings import Settings
from .hosts import Hosts, host_name
from .origins import Origins
from .paths import HEALTH


class HostAndOrigin:
    """ASGI middleware that checks `Host` and `Origin`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._hosts = Hosts(settings.allowed_hosts, settings.host)
        self._origins = Origins(settings.cors_origins, self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await envelope(Request(scope), refusal.status, refusal.message)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Failure | None:
        sent: dict[bytes, list[str]] = {b"host": [], b"origin": [], b"sec-fetch-site": []}
        for name, value in scope["headers"]:
            if name in sent:
                sent[name].append(value.decode("latin-1").strip())
        hosts, origins, sites = sent.values()
        if route_path(scope) not in HEALTH:
            name = host_name(hosts[0]) if len(hosts) == 1 else None
            if name is None:
                return BAD_HOST
            if not self._hosts.admits(name):
                return OTHER_HOST
        host, origin, site = (", ".join(each) if each else None for each in (hosts, origins, sites))
        return None if self._origins.admits(scope["method"], host or "", origin, site) else CROSS_SITE
