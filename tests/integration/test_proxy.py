"""The service behind reverse proxies that offer it under a prefix: one removes the prefix, the other does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.run import serving
from semseg_client.triton.protocol import TINY_IMAGE
from tests.proxies import PREFIX, proxy
from tests.support import DEMO, encoded

KEY = {"X-API-Key": "secret"}
PAGE = {"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
SEGMENT = "/semantic-segmentation"
BODY = {"image": encoded(TINY_IMAGE)}


@pytest.fixture(scope="module")
def rest(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = tmp_path_factory.mktemp("keys") / "keys.yaml"
    keys.write_text("alice: secret\n")
    keys.chmod(0o600)
    flags = (f"--root-path={PREFIX}", "--cors-origins=https://app.example.com", "--allowed-hosts=seg.example.com")
    with serving(repository, "--model", DEMO, f"--api-keys-file={keys}", *flags) as addresses:
        yield addresses["rest"]


@pytest.fixture(scope="module", params=[True, False], ids=["strips the prefix", "keeps the prefix"])
def url(rest: str, request: pytest.FixtureRequest) -> Iterator[str]:
    with proxy(rest, strips=request.param) as server:
        yield server.url


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers={**KEY, **headers}, timeout=30, allow_redirects=False)


def post(url: str, body: object, **headers: str) -> requests.Response:
    return requests.post(url, json=body, headers={**KEY, **headers}, timeout=30, allow_redirects=False)


def test_the_page_of_docs_loads_all_that_it_names(url: str) -> None:
    host = url.removesuffix(PREFIX)
    page = get(f"{url}/docs")
    named = re.findall(r"""(?:src|href|url)[=:] ?["'](/[^"']*)["']""", page.text)
    assert len(named) == 4  # script, style, icon, description
    assert {get(f"{host}{each}").status_code for each in named} == {200}
    described = get(f"{url}/openapi.json").json()
    server = described["servers"][0]["url"]
    assert get(f"{host}{server}/models").json()["result"]["default"] == DEMO


def test_every_path_answers_with_a_slash_at_its_end_as_without(url: str) -> None:
    single, slashed = (post(f"{url}{SEGMENT}{end}", BODY).json()["result"] for end in ("", "/"))
    assert single == slashed
    lines = [post(f"{url}{SEGMENT}/batch{end}", {"images": [BODY["image"]] * 2}).text.splitlines() for end in ("", "/")]
    assert [[json.loads(each)["result"] for each in answer] for answer in lines] == [[single, single]] * 2
    for path in ("/models", "/health", "/livez", "/readyz", "/docs", "/openapi.json"):
        assert [get(f"{url}{path}{end}").status_code for end in ("", "/")] == [200, 200]
        assert requests.head(f"{url}{path}/", headers=KEY, timeout=30).status_code == 200


def test_the_key_is_asked_for_on_every_path_but_health(url: str) -> None:
    for path in (SEGMENT, f"{SEGMENT}/", f"{SEGMENT}/batch/"):
        assert requests.post(f"{url}{path}", json=BODY, timeout=30).status_code == 401
    for path in ("/models", "/models/", "/docs/", "/openapi.json"):
        assert requests.get(f"{url}{path}", timeout=30).status_code == 401
    for path in ("/health", "/health/", "/livez/"):
        assert requests.get(f"{url}{path}", timeout=30).status_code == 200


def test_a_listed_page_can_send_json_with_a_key_and_no_other_page_can(url: str) -> None:
    for path in (SEGMENT, f"{SEGMENT}/"):
        preflight = requests.options(f"{url}{path}", headers={**PAGE, **PREFLIGHT}, timeout=30)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
        assert "x-api-key" in preflight.headers["Access-Control-Allow-Headers"]
        answer = post(f"{url}{path}", BODY, **PAGE)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, PAGE["Origin"])
        for origin in ("https://evil.example", "null"):
            refused = requests.options(f"{url}{path}", headers={**PAGE, **PREFLIGHT, "Origin": origin}, timeout=30)
            assert (refused.status_code, refused.headers.get("Access-Control-Allow-Origin")) == (403, None)
            assert post(f"{url}{path}", BODY, **{**PAGE, "Origin": origin}).status_code == 403


def test_a_page_of_the_service_can_call_it_behind_a_proxy_with_tls(url: str) -> None:
    own = {"Host": "seg.example.com", "Origin": "https://seg.example.com", "Sec-Fetch-Site": "same-origin"}
    assert post(f"{url}{SEGMENT}", BODY, **own).status_code == 200


def test_the_proxy_passes_on_only_hosts_that_are_listed(rest: str) -> None:
    with proxy(rest, strips=False) as server:
        hosts = {"seg.example.com": 200, "evil.example": 421, "evil.example/seg": 400}
        assert {host: get(f"{server.url}/models/", Host=host).status_code for host in hosts} == hosts
