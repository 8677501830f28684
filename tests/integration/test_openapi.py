"""The OpenAPI document against the running service: every answer matches it, and a client generated from it works."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from semseg_client import Client
from semseg_client.gateway.http.media import ANSWERS
from semseg_client.triton.protocol import TINY_IMAGE
from tests.support import DEMO, ROOT, STREET, Service, in_environment

OPENAPI_PYTHON = Path(sys.prefix, "openapi", "bin", "python")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
POSTED = {"/semantic-segmentation": 400, "/semantic-segmentation/batch": 120}
EXAMPLES = {**POSTED, **dict.fromkeys(("/models", "/health", "/readyz", "/livez"), 2)}
ROUTES = [(path, "POST" if path in POSTED else "GET") for path in EXAMPLES]

files = strategies.sampled_from([TINY_IMAGE, TINY_IMAGE[:40], b"", b"no image"])
for kind in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(kind, files)


@pytest.fixture(scope="module")
def document(service: Service) -> Any:
    return schemathesis.openapi.from_url(f"{service.rest}/openapi.json")


@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_no_answer_is_outside_the_description(document: Any, path: str, method: str) -> None:
    @given(case=document[path][method].as_strategy())
    @settings(
        max_examples=EXAMPLES[path], deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    def call(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    call()


@pytest.mark.parametrize("path", ["/semantic-segmentation", "/semantic-segmentation/batch"])
@pytest.mark.parametrize("answer", [*ANSWERS, "*/*", "text/plain"])
def test_every_example_is_answered_as_described(document: Any, path: str, answer: str) -> None:
    operation = document[path]["POST"]
    body = operation.definition.raw["requestBody"]["content"]["application/json"]
    examples = [each["value"] for each in body.get("examples", {}).values()] or [
        {"images": each} for each in body["schema"]["properties"]["images"]["examples"]
    ]
    for example in examples:
        case = operation.Case(body=example, media_type="application/json", headers={"Accept": answer})
        response = case.call(timeout=60)
        case.validate_response(response, checks=CHECKS)
        wrong = answer == "text/plain" or (path.endswith("batch") and answer != "*/*")
        assert response.status_code == (406 if wrong else 200)


def test_the_document_is_valid(service: Service) -> None:
    validate(requests.get(f"{service.rest}/openapi.json", timeout=10).json())


def test_a_generated_client_segments_an_image(service: Service, tmp_path: Path) -> None:
    """`make test` installs the generator in its own environment, because its package versions conflict with the serving ones."""
    generate: list[str | Path] = [OPENAPI_PYTHON, "-m", "openapi_python_client", "generate", "--meta", "none"]
    client = tmp_path / "generated"
    subprocess.run([*generate, "--url", f"{service.rest}/openapi.json", "--output-path", client], check=True, timeout=60)
    script = ROOT / "tests" / "openapi" / "segment.py"
    printed = in_environment(OPENAPI_PYTHON, script, client, service.rest, STREET)
    with Client(service.grpc) as triton:
        label_map = triton.segment(STREET, DEMO, picture=False).label_map
    assert printed.strip() == hashlib.sha256(label_map.tobytes()).hexdigest()
