from __future__ import annotations

from typing import get_type_hints

import pytest
from pydantic import ValidationError

from semseg_client.commands.serve import serve
from semseg_client.gateway import Settings
from semseg_client.gateway.limits import Limits


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


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name not in Limits.model_fields])
def test_every_setting_is_an_option_that_tells_its_variable_and_default(name: str) -> None:
    option = get_type_hints(serve, include_extras=True)[name].__metadata__[0]
    assert f"(SEMSEG_{name.upper()})" in option.help
    default = Settings.model_fields[name].default
    if name not in ("url", "model", "image_hosts"):  # without those, other things happen than with a value
        assert option.show_default == f"{default:g}" if isinstance(default, float) else str(default)


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_IMAGE_HOSTS", "images.example.com, *.Example.org,10.0.0.0/8,")
    assert Settings().image_hosts == ("images.example.com", "*.example.org", "10.0.0.0/8")


@pytest.mark.parametrize("hosts", ["10.0.0.1/8", "https://example.com", "a.example.com,b.example.com:8080"])
def test_a_host_that_no_url_can_match_is_refused(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("SEMSEG_IMAGE_HOSTS", hosts)
    with pytest.raises(ValidationError, match="image_hosts"):
        Settings()


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (7, 1), (8, 2), (64, 16), (2000, 256)])
def test_there_is_a_process_for_every_four_cores(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr("semseg_client.gateway.settings.cores", lambda: cores)
    assert Settings().workers == workers
