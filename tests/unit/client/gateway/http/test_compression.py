from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from fastapi import Request

from semseg_client.gateway.http.compression import Lines, accepted_encoding, compressed

CONTENT = b"0,1," * 10_000


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("*", "zstd"),
        ("gzip;q=0", None),
    ],
)
def test_the_encoding_is_what_the_caller_likes_best(header: str, encoding: str | None) -> None:
    request = Request({"type": "http", "headers": [(b"accept-encoding", header.encode())]})
    assert accepted_encoding(request) == encoding


def test_what_is_compressed_can_be_read() -> None:
    assert gzip.decompress(compressed(CONTENT, "gzip")) == CONTENT
    assert zstandard.ZstdDecompressor().decompress(compressed(CONTENT, "zstd")) == CONTENT


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_each_line_can_be_read_before_the_next_is_there(encoding: str) -> None:
    lines = Lines(encoding)
    reader = zstandard.ZstdDecompressor().decompressobj() if encoding == "zstd" else zlib.decompressobj(16 + zlib.MAX_WBITS)
    for number in range(3):
        line = b"%d" % number + CONTENT
        assert reader.decompress(lines.line(line)) == line
    assert reader.decompress(lines.end()) == b""
    assert reader.eof
