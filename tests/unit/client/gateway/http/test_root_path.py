"""Behind a reverse proxy, a path may come with or without the prefix, and with a slash at its end. No tritonserver runs here, so
a request that reaches its route gets 503."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from semseg_client.gateway import Settings
from semseg_client.gateway.access.paths import HEALTH
from semseg_client.gateway.app import create_app

SEGMENT = "/semantic-segmentation"
BATCH = f"{SEGMENT}/batch"
IMAGE = {"content": b"image", "headers": {"Content-Type": "image/png"}}


def client(root_path: str = "/seg", **settings: Any) -> httpx.AsyncClient:
    app = create_app(Settings(url="127.0.0.1:1", root_path=root_path, **settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize("root_path", ["", "/seg", "/vision/seg", SEGMENT, "/models"])
@pytest.mark.parametrize("end", ["", "/"])
async def test_a_path_reaches_its_route_with_and_without_the_prefix_and_a_slash_at_its_end(root_path: str, end: str) -> None:
    async with client(root_path) as gateway:
        for prefix in ("", root_path):
            posts = [await gateway.post(f"{prefix}{path}{end}", **IMAGE) for path in (SEGMENT, BATCH)]
            gets = [await gateway.get(f"{prefix}{path}{end}") for path in ("/livez", "/models", "/docs", "/openapi.json")]
            script = await gateway.get(f"{prefix}/static-offline-docs/swagger-ui-bundle.js{end}")
            # The bytes are no image; a batch of one says so in its line. /models needs a tritonserver.
            assert [each.status_code for each in posts] == [422, 200]
            assert [each.status_code for each in (*gets, script)] == [200, 503, 200, 200, 200]


@pytest.mark.parametrize("path", ["/", "/seg", "/seg/", "/segment/models", "/seg/seg/models", "//models", "/models//", "/other"])
async def test_other_paths_are_404_without_a_redirect(path: str) -> None:
    async with client() as gateway:
        assert (await gateway.get(f"http://localhost{path}")).status_code == 404


@pytest.mark.parametrize("path", [SEGMENT, f"{SEGMENT}/", f"/seg{SEGMENT}", f"/seg{SEGMENT}/", f"/seg{BATCH}/"])
async def test_the_checks_see_through_prefix_and_slash(tmp_path: Path, path: str) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("alice: first\n")
    async with client(api_keys_file=keys) as gateway:
        assert (await gateway.post(path, **IMAGE)).status_code == 401
        assert (await gateway.post(path, content=b"x", headers={"Host": "evil.example"})).status_code == 421
        assert (await gateway.post(path, content=b"x", headers={"Origin": "http://evil.example"})).status_code == 403
        head, options = await gateway.head(path, headers={"X-API-Key": "first"}), await gateway.options(path)
        assert (head.status_code, head.headers["allow"], options.status_code) == (405, "POST", 401)


@pytest.mark.parametrize("path", sorted(HEALTH))
async def test_health_needs_no_key_and_no_known_host_under_any_spelling(tmp_path: Path, path: str) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("alice: first\n")
    async with client(api_keys_file=keys) as gateway:
        for spelt in (path, f"{path}/", f"/seg{path}", f"/seg{path}/"):
            answer = await gateway.get(spelt, headers={"Host": "balancer.example"})
            assert answer.status_code == (200 if path == "/livez" else 503)
        for other in (f"/seg/seg{path}", f"{path}//", f"{path}/models", f"/models{path}", f"{path}%2F..%2Fmodels"):
            assert (await gateway.get(other)).status_code == 401


async def test_everything_that_a_page_refers_to_has_the_prefix() -> None:
    async with client() as gateway:
        page = (await gateway.get("/docs")).text
        assert "oauth2" not in page
        named = re.findall(r"""(?:src|href|url)[=:] ?["'](/[^"']*)["']""", page)
        assert len(named) == 4  # script, style, icon, description
        for each in named:
            assert each.startswith("/seg/")
            assert (await gateway.get(each)).status_code == 200
        for path in ("/openapi.json", "/seg/openapi.json"):
            assert (await gateway.get(path)).json()["servers"] == [{"url": "/seg"}]


async def test_the_description_tells_the_prefix_where_keys_are_asked_for(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("alice: first\n")
    async with client(api_keys_file=keys) as gateway:
        described = (await gateway.get("/openapi.json", headers={"X-API-Key": "first"})).json()
    assert described["servers"] == [{"url": "/seg"}]


async def test_a_caller_cannot_set_the_prefix() -> None:
    forged = {"X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil", "Forwarded": "host=evil.example;proto=https"}
    async with client(root_path="") as gateway:
        page = await gateway.get("/docs", headers={**forged, "X-Forwarded-Host": "evil.example"})
        described = await gateway.get("/openapi.json", headers=forged)
    assert "evil" not in page.text
    assert "servers" not in described.json()
