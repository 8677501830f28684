"""What the OpenAPI document says about requests and answers, beyond what FastAPI derives from the routes.

FastAPI would turn a body into a dictionary first, and pass a label map of millions of numbers through pydantic. So the routes
read and write bytes, and the schemas only describe them.
"""

from __future__ import annotations

import json
from typing import Any

import pybase64
from pydantic import BaseModel

from ..triton.protocol import TINY_IMAGE
from . import failures
from .access.paths import HEALTH
from .http.media import BYTES, FORM, JPEG, JSON, LINES, PNG
from .schemas import (
    BatchLine,
    BatchRequest,
    ErrorResponse,
    Options,
    SegmentationRequest,
    SegmentationResponse,
)

DESCRIPTION = """\
PaddleX's serving API for semantic segmentation, and more, in front of Triton. Send the image in Base64, as a URL, as raw bytes or
in a form; `Accept` selects JSON, PNG, JPEG or raw bytes. Every error has the same envelope.
"""

_IMAGE = pybase64.b64encode_as_string(TINY_IMAGE)
_TEXT = {"schema": {"type": "string"}}
_NUMBER = {"schema": {"type": "integer", "minimum": 1}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}

ACCESS = (400, 401, 403, 421, 429)  # statuses that may refuse any request

_LOG_ID = {"X-Log-Id": {**_TEXT, "required": True, "description": "The log id, percent-encoded where a header cannot carry it."}}
_ENCODING = {
    "Content-Encoding": {
        "schema": {"enum": ["gzip", "zstd"]},
        "description": "Present if `Accept-Encoding` requests compression.",
    },
    "Vary": {**_TEXT, "required": True},
}
_FOUND = {
    **_LOG_ID,
    **_ENCODING,
    "Server-Timing": {**_TEXT, "required": True, "description": "Milliseconds per stage: parse, inference, encode."},
    "X-Model-Name": {**_TEXT, "required": True, "description": "The model that answered."},
    "X-Model-Version": {**_TEXT, "required": True, "description": "Its version number in Triton."},
    "X-Image-Height": {**_NUMBER, "description": f"Pixels; with {JSON}, {PNG} and {BYTES}."},
    "X-Image-Width": {**_NUMBER, "description": f"Pixels; with {JSON}, {PNG} and {BYTES}."},
}

_REQUESTS = {
    "the image alone": {"image": _IMAGE},
    "a data: URI": {"image": f"data:image/png;base64,{_IMAGE}"},
    "scaled, without the picture": {"image": _IMAGE, "targetSize": [1024, 512], "visualize": False},
    "classes and outlines": {"image": _IMAGE, "outputs": ["classes", "polygons"], "logId": "frame-17"},
}
_RESULTS: dict[str, Any] = {
    "label map and picture": {"labelMap": [8, 8, 8, 8], "size": [2, 2], "image": "/9j/4AAQSkZJRg..."},
    "without the picture": {"labelMap": [8, 8, 8, 8], "size": [2, 2]},
    "classes": {
        "size": [2, 2],
        "classes": [{"id": 8, "name": "vegetation", "colour": "#400080", "pixels": 4, "share": 1.0}],
    },
}
_MISTAKES = {
    "no image": [{"type": "missing", "loc": "body.image", "msg": "Field required"}],
    "invalid Base64": [{"type": "value_error", "loc": "body.image", "msg": "image is not valid Base64"}],
    "a wrong size": [
        {
            "type": "target_size",
            "loc": "body.targetSize",
            "msg": "Input should be a whole number from 1 to 16384, or an array of two",
        }
    ],
    "unknown model": [
        {"type": "value_error", "loc": "body.model", "msg": "no such model; served models: PP-LiteSeg-T, SegFormer-B0"}
    ],
}


def infer() -> dict[str, Any]:
    """Arguments of the single-image route."""
    success = {
        "model": SegmentationResponse,
        "description": "The classes of the image's pixels",
        "headers": _FOUND,
        "content": {
            JSON: {"examples": {name: {"value": _envelope(0, "Success", result=each)} for name, each in _RESULTS.items()}},
            PNG: _BINARY,
            JPEG: _BINARY,
            BYTES: _BINARY,
        },
    }
    content = {
        JSON: {
            "schema": _schema(SegmentationRequest),
            "examples": {name: {"value": each} for name, each in _REQUESTS.items()},
        },
        FORM: {"schema": _form(_BINARY["schema"])},
        "image/*": _BINARY,
        BYTES: _BINARY,
    }
    return {
        "responses": {200: success, **_errors(*ACCESS, 406, 408, 411, 413, 415, 422, 500, 503, 504)},
        "openapi_extra": {"requestBody": {"required": True, "content": content}, "parameters": _parameters()},
    }


def require_key(document: dict[str, Any]) -> None:
    """Declare in the OpenAPI document that all requests except health checks need an API key."""
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
    document["security"] = [{"ApiKey": []}, {"Bearer": []}]
    for path in HEALTH:
        document["paths"][path]["get"]["security"] = []


def batch() -> dict[str, Any]:
    """Arguments of the batch route."""
    lines = [
        {"index": 0, **_envelope(0, "Success", result=_RESULTS["classes"])},
        {"index": 1, **_envelope(422, json.dumps(_MISTAKES["invalid Base64"]))},
    ]
    success = {
        "description": "An envelope for each image, one per line, in the images' order; a bad image does not affect the others",
        "headers": {**_LOG_ID, **_ENCODING},
        "content": {
            LINES: {
                "schema": {
                    "type": "string",
                    "description": "JSON, one line per image.",
                    "contentMediaType": LINES,
                    "contentSchema": _schema(BatchLine),
                },
                "examples": {"one good, one bad": {"value": "\n".join(map(json.dumps, lines)) + "\n"}},
            }
        },
    }
    content = {
        JSON: {"schema": _schema(BatchRequest)},
        FORM: {"schema": _form({"type": "array", "minItems": 1, "items": _BINARY["schema"]})},
    }
    return {
        "responses": {200: success, **_errors(*ACCESS, 406, 408, 411, 413, 415, 422, 500, 503)},
        "openapi_extra": {"requestBody": {"required": True, "content": content}, "parameters": _parameters()},
    }


def plain(success: type[BaseModel], description: str, *errors: int) -> dict[str, Any]:
    """Arguments of a route that takes no input and responds with the envelope."""
    return {"responses": {200: {"model": success, "description": description, "headers": _LOG_ID}, **_errors(*errors)}}


def _errors(*statuses: int) -> dict[int, dict[str, Any]]:
    return {status: _error(status) for status in sorted(statuses)}


def _error(status: int) -> dict[str, Any]:
    rows = [row for row in failures.TABLE if row.status == status]
    if status == failures.INVALID.status:
        examples = {name: json.dumps(each) for name, each in _MISTAKES.items()}
    else:
        examples = {row.when: row.message for row in rows}
    headers = dict(_LOG_ID)
    if any(row.retry_after for row in rows):
        headers["Retry-After"] = {**_NUMBER, "description": "Seconds."}
    return {
        "model": ErrorResponse,
        "description": "; ".join(row.when for row in rows),
        "headers": headers,
        "content": {JSON: {"examples": {name: {"value": _envelope(status, told)} for name, told in examples.items()}}},
    }


def _envelope(code: int, message: str, **more: Any) -> dict[str, Any]:
    return {"logId": "8f6d2a34-1f39-4c59-a5f0-3d5f2f7a6c11", "errorCode": code, "errorMsg": message, **more}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a body, with its references inlined."""
    return _inlined(model.model_json_schema())


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    parts = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(parts[node["$ref"].rpartition("/")[2]])
            return {key: resolved(value) for key, value in node.items()}
        return [resolved(each) for each in node] if isinstance(node, list) else node

    whole: dict[str, Any] = resolved(schema)
    return whole


def _options() -> dict[str, Any]:
    """The schemas of the options, by name, in the form that text can express."""
    properties: dict[str, Any] = _schema(Options)["properties"]
    return {name: _plain(schema) for name, schema in properties.items()}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without null, which text cannot express."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    kept = {key: value for key, value in schema.items() if key == "description"}
    return {**kept, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def _form(files: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["image"], "properties": {"image": files, **_options()}}


def _parameters() -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name, schema in _options().items():
        told = f"{schema.pop('description')} For bodies other than JSON."
        parameters.append({"name": name, "in": "query", "explode": False, "description": told, "schema": schema})
    sent = {"type": "string", "minLength": 1, "maxLength": 256}
    parameters.append(
        {
            "name": "X-Log-Id",
            "in": "header",
            "description": "Used if there is no logId; X-Request-Id is used if there is neither.",
            "schema": sent,
        }
    )
    return parameters
