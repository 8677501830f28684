"""Options as texts, from the parameters of a query or the fields of a form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ..failures import Invalid, Mistake
from ..http.log_id import usable_log_id
from ..schemas import Options

_SEPARATED = ("targetSize", "outputs")


def options_of(texts: Iterable[tuple[str, str]], place: str) -> Options:
    """The options; `targetSize` and `outputs` may be several, separated by commas or each under the name again.

    Raises:
        Invalid: one of them is wrong.
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
    """What pydantic found wrong at `place`, without what the caller sent."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": each["type"], "loc": ".".join([place, *map(str, each["loc"])]), "msg": each["msg"]} for each in told]
