"""The path that a request means, whether or not the proxy in front has removed its prefix."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """ASGI middleware, in front of everything that looks at a path. `root_path` is the prefix under which callers reach the
    service, such as /seg, or empty.

    From here on, `path` starts with `root_path`, as ASGI has it, and has no slash at its end: a redirect to another path would
    lose a POST's body with many clients. `route_path` is what follows the prefix.
    """

    def __init__(self, app: ASGIApp, root_path: str, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._root_path = root_path
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": self._root_path + self._own(scope["path"]), "root_path": self._root_path}
        await self._app(scope, receive, send)

    def _own(self, path: str) -> str:
        """The path without the prefix. A prefix may look like one of our own paths, which then takes precedence."""
        path = path.removesuffix("/") or "/"
        if path.startswith(f"{self._root_path}/") and not any(getattr(route, "path", None) == path for route in self._routes):
            return path[len(self._root_path) :]
        return path


def route_path(scope: Scope) -> str:
    """The request's path without the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
