"""The text in `image`: Base64, a data: URI, or a URL."""

from __future__ import annotations

import re

import pybase64

from ...errors import InvalidImage

_SPACE = b" \t\n\r\v\f"
_URL = re.compile(r"\s*https?://", re.IGNORECASE)
_DATA = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)


def is_url(image: str) -> bool:
    return _URL.match(image) is not None


def decoded(image: str) -> bytes:
    """Decode an image file from Base64 (RFC 4648, section 4) or a Base64 data: URI (RFC 2397).

    ASCII white space is ignored.

    Raises:
        InvalidImage: the text is neither, or holds no data.
    """
    start = 0
    if (data := _DATA.match(image)) is not None:
        if not data[1].rstrip().lower().endswith(";base64"):
            raise InvalidImage("image is a data: URI that is not in Base64")
        start = data.end()
    try:
        content = _base64(image[start:])
    except ValueError:
        raise InvalidImage("image is not valid Base64") from None
    if not content:
        raise InvalidImage("image is empty")
    return content


def _base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:  # perhaps white space; removing it up front would cost every other text two copies
        # Remove it before decoding: a decoder that ignores white space ignores every other illegal character, too.
        return pybase64.b64decode(text.encode("ascii").translate(None, _SPACE), validate=True)
