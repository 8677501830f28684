"""A small web server that behaves well or badly, as real ones do."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from .support import STREET

CONTENT = STREET.read_bytes()
GROWS_TO = 100_000  # bytes, once /zipped is unpacked


class Website(ThreadingHTTPServer):
    """`asked` holds the requests so far, as (path, User-Agent)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    server: Website

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        page, _, where = self.path[1:].partition("/")
        match page:
            case "photos":
                self.answer(200, CONTENT)
            case "to":
                self.answer(302, b"", Location=where)
            case "round":
                self.answer(302, b"", Location=self.path)
            case "page":
                self.answer(200, b"<html>", Content_Type="text/html; charset=utf-8")
            case "zipped":
                self.answer(200, gzip.compress(bytes(GROWS_TO)), Content_Encoding="gzip")
            case "not-zipped":
                self.answer(200, CONTENT, Content_Encoding="gzip")
            case "cut":
                self.answer(200, CONTENT, Content_Length=str(len(CONTENT) + 1))
            case "huge":
                self.answer(200, b"", Content_Length=str(2**40))
            case "empty":
                self.answer(200, b"")
            case "silent":
                time.sleep(0.5)
            case "slow":
                self.answer(200, b"")
                with suppress(OSError):  # the caller has hung up
                    for _ in range(50):
                        time.sleep(0.01)
                        self.wfile.write(b"x")
            case _:
                self.answer(404, b"no")

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        """HTTP 1.0: closing the connection ends the content; the length is sent only if `headers` has it."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def website() -> Iterator[Website]:
    """Runs the server on a free port, in a thread, until the block ends."""
    with Website() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
