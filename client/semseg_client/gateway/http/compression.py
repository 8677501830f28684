"""Compresses answers for callers that send `Accept-Encoding`.

Starlette's middleware does so on the event loop, where a label map of several megabytes would hold up all other requests.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import zstandard
from fastapi import Request
from werkzeug.http import parse_accept_header

_WORTH = 1024  # bytes; below this, compression costs more than it saves
_GZIP = 16 + zlib.MAX_WBITS  # zlib's code for a gzip header
_FASTEST = 1  # label maps are runs of one number, so higher levels gain little


class Encoder(Protocol):
    """A streaming compressor."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def accepted_encoding(request: Request) -> str | None:
    """zstd or gzip, as the caller prefers, or None if it accepts neither."""
    header = parse_accept_header(", ".join(request.headers.getlist("accept-encoding")))
    return header.best_match(("zstd", "gzip"))


def compressed(content: bytes, encoding: str) -> bytes:
    """`content`, compressed with `encoding`."""
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=_FASTEST).compress(content)
    return zlib.compress(content, _FASTEST, _GZIP)


def worth_compressing(content: bytes) -> bool:
    return len(content) >= _WORTH


class Lines:
    """Compresses line by line, so that each line can be read as soon as it is sent."""

    def __init__(self, encoding: str) -> None:
        self._encoder: Encoder
        if encoding == "zstd":
            self._encoder = zstandard.ZstdCompressor(level=_FASTEST).compressobj()
            self._flush, self._finish = zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH
        else:
            self._encoder = zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP)
            self._flush, self._finish = zlib.Z_SYNC_FLUSH, zlib.Z_FINISH

    def line(self, content: bytes) -> bytes:
        return self._encoder.compress(content) + self._encoder.flush(self._flush)

    def end(self) -> bytes:
        return self._encoder.flush(self._finish)
