from __future__ import annotations

import base64
import json

import pytest

from semseg_client import InvalidImage
from semseg_client.gateway.request import InvalidBody, decoded, parse

CONTENT = bytes(range(256))
ENCODED = base64.b64encode(CONTENT).decode()


def errors(body: bytes) -> list[dict[str, str]]:
    with pytest.raises(InvalidBody) as refused:
        parse(body)
    return refused.value.errors


def test_what_is_asked_for() -> None:
    asked = parse(b'{"image": "aGk=", "targetSize": [1024, 512], "visualize": false, "logId": "mine", "unknown": {}}')
    assert (asked.image, asked.target_size, asked.visualize, asked.log_id) == ("aGk=", (1024, 512), False, "mine")


def test_fields_have_paddlexs_names_only() -> None:
    assert parse(b'{"image": "aGk=", "target_size": "ignored", "log_id": "ignored"}').target_size is None


def test_what_is_null_counts_as_absent() -> None:
    asked = parse(b'{"image": "aGk=", "targetSize": null, "visualize": null, "logId": null}')
    assert (asked.target_size, asked.visualize, asked.log_id) == (None, None, None)


@pytest.mark.parametrize("size", [512, "512", 512.0])
def test_a_target_size_may_be_one_number_in_any_form_that_paddlex_takes(size: object) -> None:
    assert parse(json.dumps({"image": "", "targetSize": size}).encode()).target_size == 512


@pytest.mark.parametrize("size", [0, -1, 1.5, "wide", [], [1], [1, 0], [1, 2, 3], {}, 16385, 2**70])
def test_a_wrong_target_size_is_one_error(size: object) -> None:
    (error,) = errors(json.dumps({"image": "", "targetSize": size}).encode())
    assert (error["type"], error["loc"]) == ("target_size", "body.targetSize")


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (b"", "json_invalid", "body"),
        (b"image=x", "json_invalid", "body"),
        (b'{"image": "', "json_invalid", "body"),
        (b'{"image": "\xff"}', "json_invalid", "body"),
        (b"[]", "model_type", "body"),
        (b"null", "model_type", "body"),
        (b"{}", "missing", "body.image"),
        (b'{"image": null}', "string_type", "body.image"),
        (b'{"image": 7}', "string_type", "body.image"),
        (b'{"image": "", "visualize": "perhaps"}', "bool_parsing", "body.visualize"),
    ],
)
def test_a_wrong_body_is_told_with_its_place(body: bytes, kind: str, place: str) -> None:
    (error,) = errors(body)
    assert set(error) == {"type", "loc", "msg"}
    assert (error["type"], error["loc"]) == (kind, place)


def test_errors_hold_nothing_of_the_callers() -> None:
    told = errors(b'{"image": {"secret": 1}, "targetSize": "secret", "visualize": "secret"}')
    assert len(told) == 3
    assert "secret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("body", "log_id"),
    [(b'{"logId": "mine"}', "mine"), (b'{"logId": 7}', None), (b"[]", None), (b'{"logId": "mine"', None)],
)
def test_the_log_id_of_a_wrong_request_is_kept(body: bytes, log_id: str | None) -> None:
    with pytest.raises(InvalidBody) as refused:
        parse(body)
    assert refused.value.log_id == log_id


def test_base64_is_decoded() -> None:
    assert decoded(ENCODED) == CONTENT


def test_ascii_white_space_in_base64_is_let_pass() -> None:
    assert decoded(" \t\r\n\v\f".join(ENCODED)) == CONTENT


@pytest.mark.parametrize("image", ["!!!!", "abcde", "ab=c", "ab-_", "é" + ENCODED, "\u00a0" + ENCODED, "aGk=" + ENCODED])
def test_everything_else_that_is_not_base64_is_refused(image: str) -> None:
    with pytest.raises(InvalidImage, match=r"^image is not valid Base64$"):
        decoded(image)


@pytest.mark.parametrize("image", ["http://a.b/c.png", "HTTPS://a.b/c.png", " https://a.b"])
def test_a_url_is_refused_as_one(image: str) -> None:
    with pytest.raises(InvalidImage, match=r"^image is a URL; this server takes Base64 only$"):
        decoded(image)


def test_a_data_url_is_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidImage, match="what follows its comma"):
        decoded("data:image/png;base64," + ENCODED)


@pytest.mark.parametrize("image", ["", " \n"])
def test_an_empty_image_is_refused(image: str) -> None:
    with pytest.raises(InvalidImage, match=r"^image is empty$"):
        decoded(image)
