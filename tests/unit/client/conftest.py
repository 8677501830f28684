from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.website import Website, website


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    monkeypatch.setenv("NO_PROXY", "*")
    with website() as server:
        yield server
