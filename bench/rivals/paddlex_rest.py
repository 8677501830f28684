"""PaddleX's REST call, which three of the rivals support."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import orjson
import pybase64

from ..load import Call
from .rival import Failed, LabelMap

_TIMEOUT = 600.0  # s
_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class RestRoute:
    """POST /semantic-segmentation at `address`, host:port, for the label map and, with `picture`, the picture."""

    address: str
    picture: bool

    def body(self, image: bytes) -> bytes:
        return orjson.dumps({"image": pybase64.b64encode_as_string(image), "visualize": self.picture})

    @contextmanager
    def connection(self) -> Iterator[Call]:
        connection = http.client.HTTPConnection(self.address, timeout=_TIMEOUT)

        def call(body: bytes) -> bytes:
            connection.request("POST", "/semantic-segmentation", body, _HEADERS)
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise Failed(f"status {response.status}: {answer[:200]!r}")
            return answer

        try:
            yield call
        finally:
            connection.close()

    def label_map(self, answer: bytes) -> LabelMap:
        return in_json(answer, picture=self.picture)


def in_json(answer: bytes, *, picture: bool) -> LabelMap:
    """The label map in PaddleX's answer.

    Raises:
        Failed: it holds no label map, or no picture although one is expected.
    """
    content = orjson.loads(answer)
    if content.get("errorCode") != 0:
        raise Failed(f"error {content.get('errorCode')}: {content.get('errorMsg')}")
    result = content["result"]
    if picture and not result.get("image"):
        raise Failed("the answer has no picture")
    return np.array(result["labelMap"], np.uint8).reshape(result["size"])
