"""The path under which a reverse proxy offers the service, such as /seg."""

from __future__ import annotations

import re

PREFIX = "a path like /seg or /vision/seg: begin with a slash, end without one, and use only letters, digits and ._~:@!$+,;=-"
_SEGMENT = re.compile(r"[A-Za-z0-9._~:@!$+,;=-]+")  # of a path, without what a URL or a web page would need escaped


def is_prefix(path: str) -> bool:
    """Whether the text is such a path."""
    first, *segments = path.split("/")
    return not first and all(_SEGMENT.fullmatch(each) and each.strip(".") for each in segments)
