"""A web server that can misbehave as real servers do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class ArchiveServer:
    """Serves `content` under every path, or only under paths that contain `only`. Any setting can change between requests."""

    content: bytes
    only: str = ""
    etag: str = '"first"'
    ranges: bool = True  # honour Range and If-Range
    cut_after: int | None = None  # bytes after which the next response, and only that one, breaks off
    statuses: list[int] = field(default_factory=list)  # statuses of the next responses, which have no content
    redirect: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)  # headers of the requests
    url: str = ""


@contextmanager
def serve(content: bytes) -> Iterator[ArchiveServer]:
    mood = ArchiveServer(content)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            mood.seen.append(dict(self.headers))
            if mood.redirect:
                self.send_response(302)
                self.send_header("Location", mood.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif mood.statuses or mood.only not in self.path:
                self.send_response(mood.statuses.pop(0) if mood.statuses else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.answer()

        def answer(self) -> None:
            start = 0
            wanted = self.headers.get("Range")
            if wanted and mood.ranges and self.headers.get("If-Range") == mood.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(mood.content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = mood.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("ETag", mood.etag)
            self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(mood.content) - 1}/{len(mood.content)}")
            self.end_headers()
            if mood.cut_after is not None:
                body, mood.cut_after = body[: mood.cut_after], None
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (named by the base class)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mood.url = f"http://127.0.0.1:{server.server_address[1]}/models/PP-LiteSeg-T_infer.tar"
    try:
        yield mood
    finally:
        server.shutdown()
        server.server_close()
