from __future__ import annotations

import pytest
from pydantic import ValidationError

from semseg_client.gateway import Settings


def test_the_gateway_listens_on_loopback_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SEMSEG_{name.upper()}", raising=False)
    settings = Settings()
    assert (settings.host, settings.port, settings.max_body_bytes) == ("127.0.0.1", 8080, 64 * 2**20)


def test_the_environment_sets_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_PORT", "9000")
    monkeypatch.setenv("SEMSEG_URL", "triton:8001")
    settings = Settings(url="localhost:1")
    assert (settings.port, settings.url) == (9000, "localhost:1")


@pytest.mark.parametrize(("name", "value"), [("PORT", "65536"), ("TIMEOUT", "0"), ("MAX_BODY_BYTES", "0")])
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SEMSEG_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
