from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from semseg_export.errors import WeightsError
from semseg_export.weights import download
from semseg_export.weights.download import fetch
from tests.support import ROOT
from tests.unit.export.archive_server import ArchiveServer
from tests.unit.export.silent import Silent

AT_ONCE = (0.0, 0.0)


def get(server: ArchiveServer, cache: Path, pauses: tuple[float, ...] = AT_ONCE) -> bytes:
    file, digest = fetch(server.url, cache, Silent(), pauses)
    assert digest == sha256(file.read_bytes()).hexdigest()
    return file.read_bytes()


def leftovers(cache: Path) -> list[str]:
    return sorted(file.suffix for file in cache.iterdir() if file.suffix not in (".tar", ".lock"))


def test_a_file_is_downloaded_once(server: ArchiveServer, tmp_path: Path) -> None:
    assert get(server, tmp_path) == server.content
    assert get(server, tmp_path) == server.content
    assert len(server.seen) == 1
    assert leftovers(tmp_path) == [".sha256"]


def test_a_broken_transfer_goes_on_where_it_stopped(server: ArchiveServer, tmp_path: Path) -> None:
    server.cut_after = 300_000
    assert get(server, tmp_path) == server.content
    assert server.seen[1]["Range"] == "bytes=300000-"
    assert server.seen[1]["If-Range"] == server.etag


def test_a_later_run_resumes_an_earlier_one(server: ArchiveServer, tmp_path: Path) -> None:
    server.cut_after = 300_000
    server.statuses = []
    with pytest.raises(WeightsError, match="run this again to resume"):
        get(server, tmp_path, pauses=())
    assert leftovers(tmp_path) == [".part", ".validator"]
    assert get(server, tmp_path) == server.content
    assert server.seen[1]["Range"] == "bytes=300000-"
    assert leftovers(tmp_path) == [".sha256"]


def test_a_server_without_ranges_sends_all_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.ranges, server.cut_after = False, 300_000
    assert get(server, tmp_path) == server.content


def test_a_file_that_changed_meanwhile_is_begun_anew(server: ArchiveServer, tmp_path: Path) -> None:
    server.cut_after = 300_000
    with pytest.raises(WeightsError):
        get(server, tmp_path, pauses=())
    server.content, server.etag = b"another" * 90_000, '"second"'
    assert get(server, tmp_path) == server.content


def test_a_part_longer_than_the_file_is_begun_anew(server: ArchiveServer, tmp_path: Path) -> None:
    server.cut_after = 300_000
    with pytest.raises(WeightsError):
        get(server, tmp_path, pauses=())
    server.content = server.content[:200_000]
    assert get(server, tmp_path) == server.content


def test_an_overloaded_server_is_asked_again(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert get(server, tmp_path) == server.content


def test_a_new_attempt_is_announced(server: ArchiveServer, tmp_path: Path) -> None:
    class Telling(Silent):
        shown: ClassVar[list[str]] = []

        def show(self, doing: str) -> None:
            self.shown.append(doing)

    server.statuses = [503]
    fetch(server.url, tmp_path, Telling(), (0.01,))
    assert Telling.shown[-1] == "503 Service Unavailable: trying again in 0.01 s"


def test_an_absent_file_is_said_at_once_and_leaves_nothing(server: ArchiveServer, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(WeightsError, match="returned 404 Not Found: check the address"):
        get(server, tmp_path)
    assert len(server.seen) == 1
    assert leftovers(tmp_path) == []


def test_a_refused_connection_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"could not be downloaded .*refused.* WEIGHTS= .*SEMSEG_WEIGHTS_URL"):
        fetch("http://127.0.0.1:9/weights.tar", tmp_path, Silent(), AT_ONCE)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/weights.tar"])
def test_only_web_addresses_are_followed(server: ArchiveServer, tmp_path: Path, target: str) -> None:
    server.redirect = target
    with pytest.raises(WeightsError, match="use http:// or https://"):
        get(server, tmp_path)
    assert leftovers(tmp_path) == []


def test_a_body_without_end_is_not_kept(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 100_000)
    with pytest.raises(WeightsError, match="more than any network needs"):
        get(server, tmp_path)
    assert leftovers(tmp_path) == []


def test_nothing_leads_from_https_to_http(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def redirected(*_: object, **__: object) -> httpx.Response:
        """The response that httpx returns after following a redirect."""
        first = httpx.Response(302, request=httpx.Request("GET", "https://weights.example/net.tar"))
        return httpx.Response(200, request=httpx.Request("GET", server.url), history=[first])

    monkeypatch.setattr(download.httpx, "stream", lambda *_, **__: nullcontext(redirected()))
    with pytest.raises(WeightsError, match="redirects from https:// to http://127"):
        get(server, tmp_path)
    assert leftovers(tmp_path) == []


def test_endless_redirects_end(server: ArchiveServer, tmp_path: Path) -> None:
    server.redirect = server.url
    with pytest.raises(WeightsError, match="redirects too many times"):
        get(server, tmp_path)


def test_a_cached_file_that_changed_is_refused(server: ArchiveServer, tmp_path: Path) -> None:
    get(server, tmp_path)
    [file] = tmp_path.glob("*.tar")
    file.write_bytes(b"tampered")
    with pytest.raises(WeightsError, match=rf"delete {file} to download it again"):
        get(server, tmp_path)


def test_a_download_that_differs_from_the_first_is_refused(server: ArchiveServer, tmp_path: Path) -> None:
    get(server, tmp_path)
    [file] = tmp_path.glob("*.tar")
    file.unlink()
    server.content = b"another" * 1000
    with pytest.raises(WeightsError, match=r"delete .*\.sha256 to accept"):
        get(server, tmp_path)
    assert not file.exists()


def test_two_exports_at_once_download_once(server: ArchiveServer, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: get(server, tmp_path), range(2))
    assert first == second == server.content
    assert len(server.seen) == 1


def test_a_full_disk_is_said(server: ArchiveServer, tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from semseg_export.weights.download import fetch\n"
        "from tests.unit.export.silent import Silent\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "fetch(sys.argv[1], Path(sys.argv[2]), Silent())"
    )
    done = subprocess.run([sys.executable, "-c", code, server.url, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
    assert "WeightsError: cannot store http://" in done.stderr
    assert "File too large" in done.stderr
    assert list(tmp_path.glob("*.tar")) == []


def test_a_cache_that_cannot_be_written_is_said(server: ArchiveServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot store"):
        get(server, tmp_path / "file")
