"""Reverse proxies that offer a service under the prefix /seg."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PREFIX = "/seg"


class Proxy(ThreadingHTTPServer):
    """Forwards what is under the prefix. If `strips`, it behaves like nginx by default: it removes the prefix, sets `Host` to the
    service's address, and speaks HTTP/1.0 to it. If not, path and `Host` stay, and it speaks HTTP/1.1."""

    def __init__(self, service: str, *, strips: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = urlsplit(service).netloc
        self.strips = strips

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PREFIX}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(404, "the proxy has nothing there")
            return
        upstream = http.client.HTTPConnection(self.server.service, timeout=60)
        headers = {**self.headers, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": PREFIX}
        path = self.path
        if self.server.strips:
            path = path.removeprefix(PREFIX)
            headers["Host"] = self.server.service
            upstream._http_vsn, upstream._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
        upstream.request(self.command, path, self.rfile.read(int(self.headers.get("Content-Length", 0))), headers)
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "date", "server", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        upstream.close()

    do_HEAD = do_POST = do_OPTIONS = do_GET  # noqa: N815


@contextmanager
def proxy(service: str, *, strips: bool) -> Iterator[Proxy]:
    """Runs a proxy in front of the service at that URL until the block ends."""
    with Proxy(service, strips=strips) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
