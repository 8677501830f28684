"""The id by which a caller and the server's owner refer to a request."""

from __future__ import annotations

import string
import uuid
from typing import Any
from urllib.parse import quote

from fastapi import Request

LONGEST = 256  # characters
HEADER = "X-Log-Id"
_HEADERS = (HEADER, "X-Request-Id")  # the first takes precedence

_PLAIN = "".join(set(string.printable) - set(string.whitespace) - {"%"}) + " "


def log_id(request: Request) -> str:
    """The caller's own, else a new, unique one."""
    known: str | None = getattr(request.state, "log_id", None)
    if known is None:
        sent = (request.headers.get(name, "") for name in _HEADERS)
        known = next((each for each in sent if 0 < len(each) <= LONGEST), None) or new_log_id()
        request.state.log_id = known
    return known


def new_log_id() -> str:
    return str(uuid.uuid4())


def header_value(log_id: str) -> str:
    """Percent-encoded where a header cannot carry it."""
    return quote(log_id.strip(), safe=_PLAIN)


def usable_log_id(content: Any) -> str | None:
    """The log id in what may be a request."""
    sent = content.get("logId") if isinstance(content, dict) else None
    return sent if isinstance(sent, str) and len(sent) <= LONGEST else None
