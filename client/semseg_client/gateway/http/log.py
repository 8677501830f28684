"""The gateway's log: a line for each request, if enabled, and always one for each failure.

A line never holds an image, a key or a query. Text from callers is escaped, so that it cannot break a line or add one.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import IO, Literal

Form = Literal["json", "text", "off"]

_LONGEST = 1000  # characters per value
_lines = logging.getLogger(__name__)


def configure(form: Form, access: IO[str] | None = None, errors: IO[str] | None = None) -> None:
    """Log in this form: requests to standard output, other failures to standard error. With "off", log only failures, all of
    them to standard error."""
    formatter = _Json() if form == "json" else _Text()
    to_access = logging.StreamHandler(access or sys.stdout)
    to_access.addFilter(lambda record: _is_request(record) and form != "off")
    to_errors = logging.StreamHandler(errors or sys.stderr)
    to_errors.addFilter(lambda record: record.levelno >= logging.ERROR and not (_is_request(record) and form != "off"))
    for handler in (to_access, to_errors):
        handler.setFormatter(formatter)
    _lines.handlers = [to_access, to_errors]
    _lines.propagate = False
    _lines.setLevel(logging.ERROR if form == "off" else logging.INFO)


def request(fields: Mapping[str, object], failed: bool, defect: BaseException | None = None) -> None:
    """Log a request that has been answered."""
    level = logging.ERROR if failed else logging.INFO
    if _lines.isEnabledFor(level):
        _lines.log(level, "%s: %s", fields["log_id"], fields["cause"], extra={"fields": fields}, exc_info=defect)


def error(cause: str, log_id: str | None = None, defect: BaseException | None = None) -> None:
    """Log a failure that no request's line reports."""
    fields = {"cause": cause} if log_id is None else {"log_id": log_id, "cause": cause}
    _lines.error("%s", cause, extra={"fields": fields}, exc_info=defect)


def told(error: BaseException) -> str:
    """An exception's type and message."""
    return f"{type(error).__name__}: {error}"


def _is_request(record: logging.LogRecord) -> bool:
    return "status" in getattr(record, "fields", ())


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: Mapping[str, object] = getattr(record, "fields", None) or {"cause": record.getMessage()}
    short = {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in fields.items()}
    time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": time, "level": record.levelname.lower(), **short}


def _escaped(value: object) -> str:
    return json.dumps(value).replace("\x7f", "\\u007f")  # json.dumps leaves DEL unescaped


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        if record.exc_info:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return _escaped(fields)


class _Text(logging.Formatter):
    """`time level name=value ...`, then any traceback on separate lines."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        head = f"{fields.pop('time')} {str(fields.pop('level')).upper()}"
        line = " ".join([head, *(f"{name}={_escaped(value)}" for name, value in fields.items() if value is not None)])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
