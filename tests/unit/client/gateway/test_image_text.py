from __future__ import annotations

import base64

import pytest

from semseg_client import InvalidImage
from semseg_client.gateway.request.image_text import decoded, is_url

CONTENT = bytes(range(256))
ENCODED = base64.b64encode(CONTENT).decode()


def test_base64_is_decoded() -> None:
    assert decoded(ENCODED) == CONTENT


def test_ascii_white_space_in_base64_is_let_pass() -> None:
    assert decoded(" \t\r\n\v\f".join(ENCODED)) == CONTENT


@pytest.mark.parametrize("image", ["!!!!", "abcde", "ab=c", "ab-_", "é" + ENCODED, "\u00a0" + ENCODED, "aGk=" + ENCODED])
def test_everything_else_that_is_not_base64_is_refused(image: str) -> None:
    with pytest.raises(InvalidImage, match=r"^image is not valid Base64$"):
        decoded(image)


@pytest.mark.parametrize("image", ["http://a.b/c.png", "HTTPS://a.b/c.png", " https://a.b"])
def test_a_url_is_known_as_one(image: str) -> None:
    assert is_url(image)


@pytest.mark.parametrize("head", ["data:image/png;base64,", "data:;base64,", " DATA:image/png;a=b;BASE64,"])
def test_a_data_uri_is_decoded(head: str) -> None:
    assert decoded(head + ENCODED) == CONTENT


def test_a_data_uri_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidImage, match=r"^image is a data: URI that is not in Base64$"):
        decoded("data:image/svg+xml,%3Csvg/%3E")


@pytest.mark.parametrize("image", ["", " \n", "data:image/png;base64,"])
def test_an_empty_image_is_refused(image: str) -> None:
    with pytest.raises(InvalidImage, match=r"^image is empty$"):
        decoded(image)
