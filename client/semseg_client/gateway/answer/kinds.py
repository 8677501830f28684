"""The answer to a request with one image."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from ...types import Drawing, Segmentation
from ..http.envelope import written
from ..http.media import BYTES, JPEG, PNG
from ..request import ImageRequest
from ..schemas import Output
from ..segmenter import Found
from .fields import content
from .png import png


@dataclass(frozen=True)
class Answer:
    """A kind of answer: the outputs it needs, and the function that makes its body from them."""

    outputs: AbstractSet[Output]
    body: Callable[[Any], bytes]


def answer(kind: str, asked: ImageRequest, log_id: str) -> Answer:
    """The answer for a media type. Its `body` may raise Invalid."""
    match kind:
        case _ if kind == PNG:
            return Answer({"png"}, png)
        case _ if kind == JPEG:
            return Answer({"image"}, _picture)
        case _ if kind == BYTES:
            return Answer({"labelMap"}, _ids)
        case _:
            return Answer(asked.options.wanted, lambda found: written(log_id, 200, "Success", content(found, asked)))


def described(found: Found) -> dict[str, str]:
    """Headers that name the model used and, for a label map, give its size."""
    headers = {"X-Model-Name": found.model, "X-Model-Version": found.version}
    if isinstance(found, Segmentation):
        height, width = found.size
        headers |= {"X-Image-Height": str(height), "X-Image-Width": str(width)}
    return headers


def _picture(found: Drawing) -> bytes:
    return found.picture


def _ids(found: Segmentation) -> bytes:
    """One byte per pixel, row by row."""
    return found.label_map.tobytes()
