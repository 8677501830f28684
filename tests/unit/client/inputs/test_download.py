from __future__ import annotations

import re
import sys

import pytest

from semseg_client.inputs.download import download, file_name
from semseg_client.inputs.pages import NoImage
from semseg_client.ports import free_ports
from tests.website import CONTENT, GROWS_TO, Website


def reason(url: str, **limits: float) -> str:
    with pytest.raises(NoImage) as caught:
        download(url, **limits)  # type: ignore[arg-type]
    return str(caught.value)


def test_the_content_is_the_file_and_the_server_is_told_who_asks(site: Website) -> None:
    assert download(f"{site.url}/photos/street.jpg?size=large#top") == CONTENT
    assert site.asked == [("/photos/street.jpg?size=large", "paddle-semseg-triton")]


def test_redirects_are_followed_to_web_addresses_only(site: Website) -> None:
    assert download(f"{site.url}/to/{site.url}/photos/street.jpg") == CONTENT
    assert download(f"{site.url}/to//photos/street.jpg") == CONTENT
    for elsewhere in ("file:///etc/hostname", "ftp://127.0.0.1/x.jpg"):
        assert reason(f"{site.url}/to/{elsewhere}").startswith(
            "is not an http:// or https:// address, or redirects to something else: "
        )


def test_redirects_without_an_end_are_given_up(site: Website) -> None:
    assert reason(f"{site.url}/round") == "redirects too many times: check the address"


def test_other_answers_than_200_are_told(site: Website) -> None:
    assert reason(f"{site.url}/nothing.jpg") == "the server answered 404 Not Found: check the address"


def test_a_web_page_is_not_taken_for_an_image(site: Website) -> None:
    assert reason(f"{site.url}/page") == "is a web page: pass the address of the image itself"


def test_what_is_announced_as_too_large_is_not_waited_for(site: Website) -> None:
    assert reason(f"{site.url}/huge") == "is larger than 256 MB: download it by other means and pass the file"


@pytest.mark.parametrize("page", ["photos", "zipped"])
def test_what_is_not_announced_is_measured_as_it_comes_and_unpacked(page: str, site: Website) -> None:
    size = {"photos": len(CONTENT), "zipped": GROWS_TO}[page]
    assert len(download(f"{site.url}/{page}", most_bytes=size)) == size
    assert reason(f"{site.url}/{page}", most_bytes=size - 1).startswith("is larger than ")


@pytest.mark.parametrize("page", ["cut", "not-zipped"])
def test_half_a_file_is_none(page: str, site: Website) -> None:
    assert re.fullmatch(r"the transfer broke off \(.+\): try again", reason(f"{site.url}/{page}"))


def test_a_silent_server_is_not_waited_for(site: Website) -> None:
    assert reason(f"{site.url}/silent", timeout=0.05) == "the server sent nothing for 0.05 s: try again"


def test_a_slow_server_is_not_waited_for_to_the_end(site: Website) -> None:
    assert reason(f"{site.url}/slow", deadline=0.05).startswith("was not complete after 0.05 s")


def test_no_server_no_network_no_name_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    (port,) = free_ports("127.0.0.1", {"": 0}).values()
    for url in (f"http://127.0.0.1:{port}/x.jpg", "http://no-such-host.invalid/x.jpg"):
        assert re.fullmatch(r"the server cannot be reached \(.+\): check the address and the network", reason(url))


@pytest.mark.parametrize("url", ["http://", "http:///x.jpg", "http://[::1", "http://host:port/", "http://a\0b/"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    assert reason(url).startswith("is not an http:// or https:// address, or redirects to something else: ")


def test_a_host_or_a_proxy_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason("http://a..b/x.jpg").startswith("cannot be requested (")
    monkeypatch.setenv("ALL_PROXY", "socks4://127.0.0.1:1")
    told = "cannot be requested (Unknown scheme for proxy URL URL('socks4://127.0.0.1:1')): check the address and the"
    assert reason("http://no-such-host.invalid/x.jpg").startswith(told)


def test_without_httpx_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        download("http://127.0.0.1/")
    assert caught.value.name == "httpx"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/street.jpg", "street.jpg"),
        ("https://host/a/street.JPG?width=3#top", "street.JPG"),
        ("https://host/%E8%A1%97%20x.jpg", "街 x.jpg"),
        ("https://host/a%2F..%2F..%2Fb.jpg", "b.jpg"),
        ("https://host/a%5C..%5Cb%00.jpg", "a_.._b_.jpg"),
        ("https://user:secret@host:80/", "host"),
    ],
)
def test_the_name_of_a_download_is_the_last_of_its_path_and_safe_as_a_file_s(url: str, name: str) -> None:
    assert file_name(url) == name
