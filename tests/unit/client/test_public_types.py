"""What user code relies on beside the names themselves; `make lint` checks user_code.py with mypy --strict."""

from __future__ import annotations

import inspect
from pathlib import Path

import semseg_client

USER_CODE = Path(__file__).with_name("user_code.py").read_text()


def test_every_public_name_is_used() -> None:
    assert [name for name in semseg_client.__all__ if name not in USER_CODE] == []


def test_the_package_says_that_it_has_types() -> None:
    assert (Path(semseg_client.__file__).parent / "py.typed").exists()  # without it, mypy ignores an installed package


def test_help_tells_of_every_argument() -> None:
    told = semseg_client.create_pipeline.__doc__ or ""
    assert [name for name in inspect.signature(semseg_client.create_pipeline).parameters if f"`{name}`" not in told] == []
