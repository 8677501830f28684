"""A real browser opens a stranger's page: none of the page's requests to the gateway is executed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.run import serving
from semseg_client.triton.protocol import TINY_IMAGE
from tests.support import DEMO, Service, counted, encoded

from .pages import stranger

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIMIT = 120  # s; Chromium starts slowly on a busy machine
REQUESTS = "nv_inference_request_success"


@pytest.fixture
def service(repository: Path) -> Iterator[Service]:
    with serving(repository, "--http-port=0", "--model", DEMO) as addresses:
        yield Service(**addresses)


@contextmanager
def browsing(url: str, folder: Path) -> Iterator[None]:
    command = [
        str(CHROMIUM),
        "--headless=new",
        "--no-sandbox",  # otherwise it does not start as root
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-proxy-server",
        f"--user-data-dir={folder}",
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        url,
    ]
    environment = {**os.environ, "TMPDIR": str(folder)}  # when killed, it leaves its files there
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: apt-get install chromium")
def test_a_strangers_page_has_nothing_executed(service: Service, tmp_path: Path) -> None:
    before = counted(service, REQUESTS)
    with stranger(service.rest, encoded(TINY_IMAGE)) as server:
        with browsing(f"http://evil.example:{server.server_port}/page", tmp_path):
            reports = dict(server.reports.get(timeout=LIMIT) for _ in range(3))
        after = counted(service, REQUESTS)
    assert set(reports["rebound.example"].values()) == {421}
    crossed = reports["evil.example"]
    assert {name for name, seen in crossed.items() if seen == "opaque"} == {name for name in crossed if "no-cors" in name} | {
        "batch"
    }
    assert all(seen in ("opaque", "TypeError: Failed to fetch") for seen in crossed.values())
    # The same page under the gateway's own name succeeds, so the attempts themselves are valid.
    own = reports["localhost"]
    assert set(own.values()) == {200}
    executed = len(own) - 1 + 2  # all but /models, plus the beacon and the form
    assert after - before == executed
