from __future__ import annotations

from typing import get_type_hints

import pytest
from pydantic import ValidationError

from semseg_client.cli.serve import serve
from semseg_client.gateway import Settings
from tests.support import ROOT


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


OPTIONS = get_type_hints(serve, include_extras=True)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_both_readmes(name: str) -> None:
    for file in ("README.md", "README.zh.md"):
        assert f"`SEMSEG_{name.upper()}`" in (ROOT / file).read_text()


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name in OPTIONS])
def test_an_option_tells_its_variable_and_default(name: str) -> None:
    option = OPTIONS[name].__metadata__[0]
    assert f"(SEMSEG_{name.upper()})" in option.help
    default = Settings.model_fields[name].default
    if default is not None and name not in ("url", "image_hosts"):  # leaving these out changes the behaviour
        assert option.show_default == f"{default:g}" if isinstance(default, float) else str(default)


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_IMAGE_HOSTS", "images.example.com, *.Example.org,10.0.0.0/8,")
    assert Settings().image_hosts == ("images.example.com", "*.example.org", "10.0.0.0/8")


@pytest.mark.parametrize("hosts", ["10.0.0.1/8", "https://example.com", "a.example.com,b.example.com:8080", "*example.com"])
def test_a_host_that_cannot_be_meant_is_refused(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("SEMSEG_IMAGE_HOSTS", hosts)
    with pytest.raises(ValidationError, match="image_hosts"):
        Settings()


@pytest.mark.parametrize(
    "host",
    ["a.example.com:80", "http://a", "a/b", "[::1]:80", "::1", "a b", "10.0.0.0/8", "*example.com", "a.*", "*.", "**", "*.*.com"],
)
def test_an_allowed_host_is_a_name_or_an_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SEMSEG_ALLOWED_HOSTS", f"localhost,{host}")
    with pytest.raises(ValidationError, match="allowed_hosts"):
        Settings()


def test_allowed_hosts_and_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_ALLOWED_HOSTS", "Api.example.com, *.example.org,10.0.0.1,[fe80::1],*")
    monkeypatch.setenv(
        "SEMSEG_CORS_ORIGINS", "https://app.example.com, http://localhost:3000,http://[::1]:3000,capacitor://localhost"
    )
    assert Settings().allowed_hosts == ("api.example.com", "*.example.org", "10.0.0.1", "[fe80::1]", "*")
    assert len(Settings().cors_origins) == 4


@pytest.mark.parametrize(
    "origin", ["null", "app.example.com", "https://app.example.com/", "https://*.example.com", "https://a@b"]
)
def test_an_origin_is_as_browsers_send_it(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("SEMSEG_CORS_ORIGINS", origin)
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings()


@pytest.mark.parametrize("name", ["TLS_KEY", "TLS_CLIENT_CA"])
def test_tls_needs_a_certificate(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"SEMSEG_{name}", "file.pem")
    with pytest.raises(ValidationError, match="SEMSEG_TLS_CERTIFICATE"):
        Settings()


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (7, 1), (8, 2), (64, 16), (2000, 256)])
def test_there_is_a_process_for_every_four_cores(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr("semseg_client.gateway.settings.cores", lambda: cores)
    assert Settings().workers == workers


@pytest.mark.parametrize(
    "path", ["/seg", "/vision/seg-1.0", "/api/v1/services/http:semseg:8080/proxy", "/user/a@example.com", ""]
)
def test_a_root_path_is_a_path(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("SEMSEG_ROOT_PATH", path)
    assert Settings().root_path == (path or None)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "seg",
        "/seg/",
        "//seg",
        "/seg//x",
        "/seg?x",
        "/seg#x",
        "/a b",
        "/s%20g",
        "/..",
        "/a/../b",
        "/a'b",
        "/分割",
        "http://a/seg",
    ],
)
def test_another_root_path_is_refused(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("SEMSEG_ROOT_PATH", path)
    with pytest.raises(ValidationError, match="like /seg or /vision/seg"):
        Settings()
