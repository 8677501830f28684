"""What a body that is not JSON seems to be. curl labels any data as a URL-encoded form, and its -d removes bytes from files."""

from __future__ import annotations

import re

_START = 512  # bytes
_JSON = re.compile(rb"\s*[{\[]")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f\xff]")
_FORM = re.compile(rb"[\w.%+-]+=")
_MEDIA = (  # not image_header.kind_of: line ends and zeros may have been removed
    (re.compile(rb"\x89PNG"), "image/png"),
    (re.compile(rb"RIFF.{0,4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"II[*+]|MM\0?[*+]"), "image/tiff"),
    (re.compile(rb"BM"), "image/bmp"),
)


def hint(body: bytes) -> str:
    """What to send instead of `body`, to append to an error message; "" if there is nothing to say."""
    start = body[:_START]
    if _JSON.match(start):
        return ""
    if _BINARY.search(start):
        media = next((media for first, media in _MEDIA if first.match(start)), "image/jpeg")
        return (
            "; the body seems to be an image file: send it whole and with its own Content-Type,"
            f" as in curl --data-binary @FILE -H 'Content-Type: {media}' (-d removes bytes)"
        )
    if _FORM.match(start):
        return "; the body seems to be a URL-encoded form: send JSON, or the file in a form, as in curl -F image=@FILE"
    return ""
