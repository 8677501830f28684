"""A request with several images."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pydantic_core
from fastapi import Request
from pydantic import ValidationError

from ..failures import Invalid, invalid
from ..http.log_id import usable_log_id
from ..http.media import FORM, JSON, content_type
from ..schemas import Options, SegmentationRequest
from ..settings import Settings
from .body import read_body
from .form import form
from .image_request import ImageRequest
from .misread import hint
from .options import mistakes, options_of
from .single import of_file, of_text

if TYPE_CHECKING:
    from ..url_images import UrlImages

Item = Callable[[], Awaitable[ImageRequest]]


@dataclass(frozen=True)
class Batch:
    """The images in order. Awaiting an item reads its image, and raises Failed if that image is invalid."""

    items: Sequence[Item]
    log_id: str | None


async def read_batch(request: Request, settings: Settings, remote: UrlImages | None) -> Batch:
    """The images and options of the request.

    Raises:
        Failed: the request as a whole cannot be served.
    """
    match content_type(request):
        case kind if kind == JSON:
            content = await asyncio.to_thread(_parse, await read_body(request, settings.max_body_bytes))
            return _of_json(content, settings, remote)
        case kind if kind == FORM:
            async with form(request, settings.max_body_bytes, settings.max_images) as sent:
                files = [await file.read() for file in sent.files]
            shared = sent.options.model_copy(update={"log_id": None})
            asked = [ImageRequest(file, shared, f"body.image.{index}", "body") for index, file in enumerate(files)]
            return Batch([partial(of_file, each, settings) for each in asked], sent.options.log_id)
        case _:
            options = options_of(request.query_params.multi_items(), "query")
            body = await read_body(request, settings.max_body_bytes)
            shared = options.model_copy(update={"log_id": None})
            return Batch([partial(of_file, ImageRequest(body, shared, "body", "query"), settings)], options.log_id)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        content: Any = pydantic_core.from_json(body)
    except ValueError:
        raise Invalid([{"type": "json_invalid", "loc": "body", "msg": "Invalid JSON" + hint(body)}]) from None
    if not isinstance(content, dict):
        raise invalid("body", "Input should be an object")
    return content


def _of_json(content: dict[str, Any], settings: Settings, remote: UrlImages | None) -> Batch:
    log_id = usable_log_id(content)
    try:
        Options.model_validate(content)
    except ValidationError as error:
        raise Invalid(mistakes(error, "body"), log_id) from None
    images = content.get("images")
    if not isinstance(images, list) or not 1 <= len(images) <= settings.max_images:
        raise invalid("body.images", f"Input should be an array of 1 to {settings.max_images} images", log_id)
    shared = {name: value for name, value in content.items() if name not in ("images", "logId")}
    items = [partial(_item, image, shared, settings, remote, f"body.images.{index}") for index, image in enumerate(images)]
    return Batch(items, log_id)


async def _item(image: Any, shared: dict[str, Any], settings: Settings, remote: UrlImages | None, place: str) -> ImageRequest:
    if isinstance(image, str):
        return await of_text(SegmentationRequest.model_validate({**shared, "image": image}), settings, remote, place, "body")
    if not isinstance(image, dict):
        raise invalid(place, "Input should be a string or an object")
    try:
        sent = SegmentationRequest.model_validate({**shared, **image})
    except ValidationError as error:
        raise Invalid(mistakes(error, place), usable_log_id(image)) from None
    return await of_text(sent, settings, remote, f"{place}.image", place)
