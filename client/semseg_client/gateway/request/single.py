"""A request with one image, in any supported form."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import Request

from ...errors import InvalidImage
from ..failures import invalid
from ..http.media import FORM, JSON, content_type
from ..schemas import SegmentationRequest
from ..settings import Settings
from .body import read_body
from .form import form
from .image_request import ImageRequest
from .image_text import decoded, is_url
from .json_body import parse
from .options import options_of
from .pixels import checked_pixels

if TYPE_CHECKING:
    from ..url_images import UrlImages

_NO_HOSTS = "image is a URL, but this server fetches none: send the file in Base64, or have the owner set SEMSEG_IMAGE_HOSTS"


async def read_one(request: Request, settings: Settings, remote: UrlImages | None) -> ImageRequest:
    """The image and options of the request.

    Raises:
        Failed: the request cannot be read, or (Invalid) has errors.
    """
    match content_type(request):
        case kind if kind == JSON:
            sent = await asyncio.to_thread(parse, await read_body(request, settings.max_body_bytes))
            return await of_text(sent, settings, remote, "body.image", "body")
        case kind if kind == FORM:
            async with form(request, settings.max_body_bytes, 1) as sent_form:
                image = await sent_form.files[0].read()
                return await of_file(ImageRequest(image, sent_form.options, "body.image", "body"), settings)
        case _:
            options = options_of(request.query_params.multi_items(), "query")
            body = await read_body(request, settings.max_body_bytes)
            return await of_file(ImageRequest(body, options, "body", "query"), settings)


async def of_text(
    sent: SegmentationRequest, settings: Settings, remote: UrlImages | None, image_at: str, options_at: str
) -> ImageRequest:
    """A request whose image is text."""
    try:
        if is_url(sent.image):
            if remote is None:
                raise InvalidImage(_NO_HOSTS)
            image = await remote.fetch(sent.image.strip())
        else:
            image = await asyncio.to_thread(decoded, sent.image)
    except InvalidImage as error:
        raise invalid(image_at, str(error), sent.log_id) from None
    options = sent.model_copy(update={"image": ""})  # the text is as large as the image, and no longer needed
    return await of_file(ImageRequest(image, options, image_at, options_at), settings)


async def of_file(asked: ImageRequest, settings: Settings) -> ImageRequest:
    """`asked` with its `pixels` set, if the gateway accepts the image."""
    try:
        pixels = await asyncio.to_thread(checked_pixels, asked.image, settings.max_pixels)
    except InvalidImage as error:
        raise asked.refused(error) from None
    return replace(asked, pixels=pixels)
