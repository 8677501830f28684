"""The id that a caller and the server's owner use to refer to a request."""

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
    """The caller's own id, or else a new, unique one."""
    known: str | None = getattr(request.state, "log_id", None)
    if known is None:
        sent = (request.headers.get(name, "") for name in _HEADERS)
        known = next((each for each in sent if 0 < len(each) <= LONGEST), None) or new_log_id()
        request.state.log_id = known
    return known


def new_log_id() -> str:
    return str(uuid.uuid4())


def header_value(log_id: str) -> str:
    """The id, with characters that a header cannot carry percent-encoded."""
    return quote(log_id.strip(), safe=_PLAIN)


def usable_log_id(content: Any) -> str | None:
    """The log id in `content`, which may not be a valid request; None if it has no usable one."""
    sent = content.get("logId") if isinstance(content, dict) else None
    return sent if isinstance(sent, str) and len(sent) <= LONGEST else None
