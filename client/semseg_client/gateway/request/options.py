"""Options as texts, from the parameters of a query or the fields of a form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ..failures import Invalid, Mistake
from ..schemas import Options

_SEPARATED = ("targetSize", "outputs")


def options_of(texts: Iterable[tuple[str, str]], place: str) -> Options:
    """The options; `targetSize` and `outputs` may be several, separated by commas. The last text of a name counts.

    Raises:
        Invalid: one of them is wrong.
    """
    values: dict[str, Any] = dict(texts)
    for name in _SEPARATED:
        if name in values:
            parts = [part.strip() for part in values[name].split(",")]
            values[name] = parts[0] if name == "targetSize" and len(parts) == 1 else parts
    try:
        return Options.model_validate(values)
    except ValidationError as error:
        raise Invalid(mistakes(error, place), values.get("logId")) from None


def mistakes(error: ValidationError, place: str) -> list[Mistake]:
    """What pydantic found wrong at `place`, without what the caller sent."""
    told = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": each["type"], "loc": ".".join([place, *map(str, each["loc"])]), "msg": each["msg"]} for each in told]
