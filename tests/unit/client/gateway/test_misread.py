"""A body that is not JSON is told what it seems to be: curl's -d @x.jpg, above all."""

from __future__ import annotations

import pytest

from semseg_client.gateway.failures import Invalid
from semseg_client.gateway.request.json_body import parse
from semseg_client.gateway.request.misread import hint
from tests.fuzz.seeds import seeds

MEDIA = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tiff": "image/tiff", "bmp": "image/bmp"}


@pytest.mark.parametrize("removed", [b"", b"\r\n", b"\r\n\0"])
@pytest.mark.parametrize("kind", MEDIA)
def test_an_image_is_told_how_to_be_sent_even_if_curl_removed_bytes(kind: str, removed: bytes) -> None:
    told = hint(seeds()[kind].translate(None, removed))
    assert f"curl --data-binary @FILE -H 'Content-Type: {MEDIA[kind]}' (-d removes bytes)" in told


def test_a_urlencoded_form_is_told_to_be_another_form() -> None:
    for body in (b"image=aGk%3D&visualize=false", b"image=%FF%D8%FF"):
        assert "curl -F image=@FILE" in hint(body)


@pytest.mark.parametrize("body", [b"", b"hello", b'{"image": "', b'{"image": "\xff"}', b"\n [1, 2", '"größer"'.encode()])
def test_other_bodies_are_told_no_more(body: bytes) -> None:
    assert hint(body) == ""


def test_the_hint_stands_in_the_error_and_holds_nothing_of_the_callers() -> None:
    with pytest.raises(Invalid) as refused:
        parse(b"\xff\xd8\xff\xe0secret")
    [error] = refused.value.mistakes
    assert "--data-binary" in error["msg"]
    assert "secret" not in error["msg"]
