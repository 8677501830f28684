"""Options as text, from query parameters or form fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ..failures import Invalid, Mistake
from ..http.log_id import usable_log_id
from ..schemas import Options

_SEPARATED = ("targetSize", "outputs")


def options_of(texts: Iterable[tuple[str, str]], place: str) -> Options:
    """The options. `targetSize` and `outputs` may have several values, separated by commas or under repeated names.

    Raises:
        Invalid: an option is invalid.
    """
    values: dict[str, Any] = {}
    for name, text in texts:
        if name in _SEPARATED:
            values.setdefault(name, []).extend(part.strip() for part in text.split(","))
        else:
            values[name] = text
    if len(values.get("targetSize", [])) == 1:
        [values["targetSize"]] = values["targetSize"]
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise Invalid(mistakes(error, place), usable_log_id(values)) from None


def mistakes(error: ValidationError, place: str) -> list[Mistake]:
    """Pydantic's errors at `place`, without the caller's data."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": each["type"], "loc": ".".join([place, *map(str, each["loc"])]), "msg": each["msg"]} for each in told]
