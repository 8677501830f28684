"""The media types of a request's body and of its answer."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from ..failures import NOT_ACCEPTABLE, UNKNOWN_KIND, Failed

JSON = "application/json"
PNG = "image/png"
JPEG = "image/jpeg"
BYTES = "application/octet-stream"
LINES = "application/x-ndjson"
FORM = "multipart/form-data"

ANSWERS = (JSON, PNG, JPEG, BYTES)  # the first is for callers without a preference


def content_type(request: Request) -> str:
    """The body's type: JSON, FORM, or BYTES for any image file.

    A text type, or none at all, counts as JSON. So does a URL-encoded form, because curl labels any data as one by default.

    Raises:
        Failed: the body is of another type, or compressed.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Failed(UNKNOWN_KIND, kinds="the body without a Content-Encoding")
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind, _, detail = named.partition("/")
    if kind in ("", "text") or named in (JSON, "application/x-www-form-urlencoded") or detail.endswith("+json"):
        return JSON
    if kind == "image" or named == BYTES:
        return BYTES
    if named == FORM:
        return FORM
    raise Failed(UNKNOWN_KIND, kinds=f"{JSON}, {FORM}, image/* or {BYTES}")


def accepted(request: Request, kinds: Sequence[str]) -> str:
    """The one of `kinds` that `Accept` prefers (RFC 9110, section 12.5.1); in a tie, the first.

    Raises:
        Failed: the caller accepts none of them.
    """
    value = ", ".join(request.headers.getlist("accept"))
    header = parse_accept_header(value, MIMEAccept)
    # Java's own client lists text/html and image/jpeg by default, as browsers do, so these state no preference.
    if not value.strip() or "text/html" in header.values():
        return kinds[0]
    kind = header.best_match(kinds)
    if kind is None:
        raise Failed(NOT_ACCEPTABLE, kinds=", ".join(kinds))
    return kind
