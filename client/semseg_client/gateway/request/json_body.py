"""JSON requests, as in PaddleX."""

from __future__ import annotations

from typing import Any

import pydantic_core
from pydantic import ValidationError

from ..failures import Invalid
from ..http.log_id import usable_log_id
from ..schemas import SegmentationRequest
from .misread import hint
from .options import mistakes


def parse(body: bytes) -> SegmentationRequest:
    """The request in `body`.

    Raises:
        Invalid: it is not a valid request.
    """
    try:
        return SegmentationRequest.model_validate_json(body)
    except ValidationError as error:
        found = mistakes(error, "body")
        if found[0]["type"] == "json_invalid":
            found[0]["msg"] += hint(body)
        raise Invalid(found, _sent_log_id(body)) from None


def _sent_log_id(body: bytes) -> str | None:
    """The log id of a request that may be invalid otherwise."""
    try:
        content: Any = pydantic_core.from_json(body)
    except ValueError:
        return None
    return usable_log_id(content)
