"""PaddleX's request and response bodies (its serving API for semantic segmentation, 3.0.0b2 to 3.7.2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pybase64
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ..conversation import LONGEST_SIDE, TINY_IMAGE

_IMAGE = pybase64.b64encode_as_string(TINY_IMAGE)
_LOG_ID = "8f6d2a34-1f39-4c59-a5f0-3d5f2f7a6c11"


def _one_message(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """One error for the field, where a union would give one for each of its members."""
    try:
        return parse(value)
    except ValidationError:
        message = f"Input should be a whole number from 1 to {LONGEST_SIDE}, or an array of two"
        raise PydanticCustomError("target_size", message) from None


Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
TargetSize = Annotated[Side | tuple[Side, Side], WrapValidator(_one_message)]
LogId = Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class SegmentationRequest(_Body):
    """Unknown fields are ignored."""

    image: str = Field(description="An image file (JPEG, PNG, BMP, WebP, TIFF ...) in Base64.", examples=[_IMAGE])
    target_size: TargetSize | None = Field(
        default=None,
        description="Scale the image, its proportions kept, to fit these sides in pixels before the network sees it. "
        "The label map has the image's own size all the same.",
        examples=[[1024, 512]],
    )
    visualize: bool | None = Field(
        default=None, description="Whether to return the picture, as is the default.", examples=[False]
    )
    log_id: LogId = Field(default=None, description="A string of the caller's choice, returned as it is.", examples=[_LOG_ID])


class SegmentationResult(_Body):
    """The class of every pixel."""

    label_map: list[int] = Field(description="The class id of every pixel, row by row.", examples=[[0, 0, 8, 8]])
    size: tuple[int, int] = Field(description="Height and width in pixels.", examples=[[2, 2]])
    image: str | None = Field(
        default=None, description="The label map as a coloured JPEG, in Base64.", examples=["/9j/4AAQSkZJRg..."]
    )


class _Envelope(_Body):
    log_id: str = Field(examples=[_LOG_ID])


class SegmentationResponse(_Envelope):
    """A request that was served."""

    error_code: Literal[0] = 0
    error_msg: Literal["Success"] = "Success"
    result: SegmentationResult


class HealthResponse(_Envelope):
    """A gateway whose model answers."""

    error_code: Literal[0] = 0
    error_msg: Literal["Healthy"] = "Healthy"


class ErrorResponse(_Envelope):
    """A request that was not served."""

    error_code: int = Field(description="The HTTP status.", examples=[422])
    error_msg: str = Field(
        description="What is wrong. With 422: a JSON array of objects with `type`, `loc` and `msg`.",
        examples=['[{"type": "missing", "loc": "body.image", "msg": "Field required"}]'],
    )
