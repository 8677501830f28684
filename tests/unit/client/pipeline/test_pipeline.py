from __future__ import annotations

import math

import pytest

from semseg_client import ConfigurationError, create_pipeline


@pytest.mark.parametrize(
    ("argument", "value"),
    [("jobs", 0), ("jobs", -1), ("jobs", 2.5), ("batch_size", 0), ("batch_size", "4"), ("timeout", 0), ("timeout", math.nan)],
)
def test_an_argument_that_cannot_be_is_told_at_once(argument: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{argument} is {value!r}, but must be a "):
        create_pipeline(url="127.0.0.1:1", **{argument: value})  # type: ignore[arg-type]
