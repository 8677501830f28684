from __future__ import annotations

import pytest
from fastapi import Request

from semseg_client.gateway.failures import Failed
from semseg_client.gateway.http.media import ANSWERS, BYTES, FORM, JPEG, JSON, PNG, accepted, content_type


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("application/json, text/plain, */*", JSON),
        ("image/png", PNG),
        ("image/*", PNG),
        ("image/png, */*", PNG),
        ("image/jpeg;q=0.9, image/png;q=0.5", JPEG),
        ("image/jpeg;q=0.4, application/json;q=0.5", JSON),
        ("image/png;q=0, */*;q=0.1", JSON),
        ("application/octet-stream", BYTES),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),  # Java's default
        ("text/html,application/xhtml+xml,image/avif,image/png,*/*;q=0.8", JSON),  # a browser's
    ],
)
def test_the_answer_is_what_the_caller_likes_best(header: str, kind: str) -> None:
    assert accepted(request(accept=header), ANSWERS) == kind


@pytest.mark.parametrize("header", ["text/plain", "image/webp", "application/json;q=0", "image/png;q=0"])
def test_what_cannot_be_answered_is_406_with_what_can(header: str) -> None:
    with pytest.raises(Failed, match="406") as refused:
        accepted(request(accept=header), ANSWERS)
    assert all(kind in refused.value.message for kind in ANSWERS)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("", JSON),
        ("application/json; charset=utf-8", JSON),
        ("application/x-www-form-urlencoded", JSON),
        ("text/plain", JSON),
        ("application/vnd.api+json", JSON),
        ("image/webp", BYTES),
        ("Application/Octet-Stream", BYTES),
        ("multipart/form-data; boundary=x", FORM),
    ],
)
def test_a_body_is_what_its_type_says_or_json(header: str, kind: str) -> None:
    assert content_type(request(content_type=header)) == kind


@pytest.mark.parametrize(
    "headers", [{"content_type": "video/mp4"}, {"content_type": "multipart/mixed"}, {"content_encoding": "gzip"}]
)
def test_other_bodies_are_415(headers: dict[str, str]) -> None:
    with pytest.raises(Failed, match="415"):
        content_type(request(**headers))
