from __future__ import annotations

import json

import pytest

from semseg_client.gateway.failures import Invalid, Mistake
from semseg_client.gateway.request.json_body import parse


def errors(body: bytes) -> list[Mistake]:
    with pytest.raises(Invalid) as refused:
        parse(body)
    return list(refused.value.mistakes)


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
        (b'{"image": "", "model": 1}', "string_type", "body.model"),
        (b'{"image": "", "outputs": []}', "outputs", "body.outputs"),
        (b'{"image": "", "outputs": ["labelMap", "map"]}', "outputs", "body.outputs"),
        (b'{"image": "", "outputs": "labelMap"}', "outputs", "body.outputs"),
    ],
)
def test_a_wrong_body_is_told_with_its_place(body: bytes, kind: str, place: str) -> None:
    (error,) = errors(body)
    assert set(error) == {"type", "loc", "msg"}
    assert (error["type"], error["loc"]) == (kind, place)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", {"labelMap", "image"}),
        (', "visualize": true', {"labelMap", "image"}),
        (', "visualize": false', {"labelMap"}),
        (', "visualize": false, "outputs": ["image", "png"]', {"image", "png"}),
    ],
)
def test_outputs_count_more_than_visualize(options: str, wanted: set[str]) -> None:
    assert parse(f'{{"image": ""{options}}}'.encode()).wanted == wanted


def test_errors_hold_nothing_of_the_callers() -> None:
    told = errors(b'{"image": {"secret": 1}, "targetSize": "secret", "visualize": "secret"}')
    assert len(told) == 3
    assert "secret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("body", "log_id"),
    [(b'{"logId": "mine"}', "mine"), (b'{"logId": 7}', None), (b"[]", None), (b'{"logId": "mine"', None)],
)
def test_the_log_id_of_a_wrong_request_is_kept(body: bytes, log_id: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        parse(body)
    assert refused.value.log_id == log_id
