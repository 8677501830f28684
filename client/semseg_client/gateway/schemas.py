"""Request and answer bodies: those of PaddleX's serving API for semantic segmentation (3.0.0b2 to 3.7.2), and more."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import pybase64
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from semseg_contract.limits import LONGEST_SIDE

from ..triton.protocol import TINY_IMAGE
from .http import log_id

Output = Literal["labelMap", "image", "png", "classes", "polygons"]
OUTPUTS: tuple[Output, ...] = get_args(Output)

_IMAGE = pybase64.b64encode_as_string(TINY_IMAGE)
_LOG_ID = "8f6d2a34-1f39-4c59-a5f0-3d5f2f7a6c11"
_COLOUR = Field(description="The colour in pictures, in CSS notation.", pattern="^#[0-9a-f]{6}$", examples=["#800000"])


def _one_message(kind: str, message: str) -> WrapValidator:
    """One error for the field; pydantic would give one for each member of a union or list."""

    def parse(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
        try:
            return parse(value)
        except ValidationError:
            raise PydanticCustomError(kind, message) from None

    return WrapValidator(parse)


def _pair(items: dict[str, Any]) -> WithJsonSchema:
    """Two items of one type, in terms that every client generator understands. Pydantic would describe a tuple of mixed types."""
    return WithJsonSchema({"type": "array", "items": items, "minItems": 2, "maxItems": 2})


_TWO_SIDES = _pair({"type": "integer", "minimum": 1, "maximum": LONGEST_SIDE})
Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
TargetSize = Annotated[
    Side | Annotated[tuple[Side, Side], _TWO_SIDES],
    _one_message("target_size", f"Input should be a whole number from 1 to {LONGEST_SIDE}, or an array of two"),
]
Outputs = Annotated[
    Annotated[list[Output], Field(min_length=1)],
    _one_message("outputs", f"Input should be an array of one or more of {', '.join(OUTPUTS)}"),
]
LogId = Annotated[
    Annotated[str, Field(max_length=log_id.LONGEST)] | None,
    BeforeValidator(lambda value: value if isinstance(value, str) else None),
]


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Options(_Body):
    """How to segment an image, and what the answer contains."""

    target_size: TargetSize | None = Field(
        default=None,
        description="Scale the image to fit these sides in pixels, keeping its proportions, before the network sees it. "
        "The label map still has the image's own size.",
        examples=[[1024, 512]],
    )
    visualize: bool | None = Field(
        default=None,
        description="Whether to return the picture; by default, yes. Ignored if `outputs` is given.",
        examples=[False],
    )
    model: str | None = Field(default=None, description="The name of the model, if not the default one.", examples=[None])
    outputs: Outputs | None = Field(
        default=None,
        description="What a JSON answer contains, instead of `labelMap` and, unless `visualize` is false, `image`.",
        examples=[["labelMap", "classes"]],
    )
    log_id: LogId = Field(
        default=None,
        description="A string of the caller's choice, returned unchanged; the header X-Log-Id works too.",
        examples=[_LOG_ID],
    )

    @property
    def wanted(self) -> frozenset[Output]:
        """What a JSON answer contains."""
        if self.outputs is not None:
            return frozenset(self.outputs)
        return frozenset({"labelMap"} if self.visualize is False else {"labelMap", "image"})


class SegmentationRequest(Options):
    """An image with its options. Unknown fields are ignored."""

    image: str = Field(
        description="An image file (JPEG, PNG, BMP, WebP, TIFF ...) in Base64, bare or as a data: URI; or its http:// or"
        " https:// URL, if the server's owner allows that.",
        examples=[_IMAGE],
    )


class BatchRequest(Options):
    """Several images. An option applies to each image that does not set its own."""

    images: list[str | SegmentationRequest] = Field(
        min_length=1,
        description="Each item is an `image` as in a single request, or a whole single request.",
        examples=[[_IMAGE, {"image": _IMAGE, "outputs": ["classes"]}]],
    )


class FoundClass(_Body):
    """A class found in the image."""

    id: int = Field(ge=0, le=255, examples=[8])
    name: str = Field(examples=["vegetation"])
    colour: str = _COLOUR
    pixels: int = Field(ge=1, description="The number of pixels of this class.", examples=[4])
    share: float = Field(gt=0, le=1, description="This class's share of all pixels.", examples=[1.0])


class SegmentationResult(_Body):
    """The size of the image, and the outputs that were requested."""

    label_map: list[int] | None = Field(
        default=None, description="The class id of every pixel, row by row.", examples=[[8, 8, 8, 8]]
    )
    size: Annotated[tuple[int, int], _pair({"type": "integer", "minimum": 1})] = Field(
        description="Height and width in pixels.", examples=[[2, 2]]
    )
    image: str | None = Field(
        default=None, description="The label map as a coloured JPEG in Base64.", examples=["/9j/4AAQSkZJRg..."]
    )
    png: str | None = Field(
        default=None,
        description="The label map as a lossless PNG in Base64; its palette indices are the class ids.",
        examples=["iVBORw0KGgo..."],
    )
    classes: list[FoundClass] | None = Field(default=None, description="The classes found in the image, the largest first.")
    polygons: dict[str, Any] | None = Field(
        default=None,
        description="GeoJSON: a FeatureCollection with a MultiPolygon for each class. Coordinates are in pixels, x to the right"
        " and y down; outlines follow pixel edges.",
        examples=[{"type": "FeatureCollection", "features": []}],
    )


class _Envelope(_Body):
    log_id: str = Field(examples=[_LOG_ID])


class SegmentationResponse(_Envelope):
    """The response to a successful request."""

    error_code: Literal[0] = 0
    error_msg: Literal["Success"] = "Success"
    result: SegmentationResult


class HealthResult(_Body):
    """What its owner should know about a service that answers."""

    warnings: list[str] = Field(description="Say, that /dev/shm is too small for the largest images.")


class HealthResponse(_Envelope):
    """A gateway whose models answer. `result` is there only if there is a warning."""

    error_code: Literal[0] = 0
    error_msg: Literal["Healthy"] = "Healthy"
    result: HealthResult | None = None


class LifeResponse(_Envelope):
    """A gateway that answers, whatever its models do."""

    error_code: Literal[0] = 0
    error_msg: Literal["Alive"] = "Alive"


class ModelClass(_Body):
    """A class that a model distinguishes."""

    id: int = Field(ge=0, le=255, examples=[0])
    name: str = Field(examples=["road"])
    colour: str = _COLOUR


class Provenance(_Body):
    """The origin of a model. A field is null if the exporter did not record it."""

    source: str | None = Field(description="The file, folder or URL of the weights.", examples=["PP-LiteSeg-T_infer.tar"])
    source_sha256: str | None = Field(alias="sourceSha256", examples=["21224fea..."])
    converter: str | None = Field(examples=["paddle2onnx 2.1.0"])
    exported_at: str | None = Field(description="UTC, ISO 8601.", examples=["2026-11-24T18:00:00+00:00"])
    agreement: float | None = Field(
        description="The smallest share of pixels on which the exported network agreed with Paddle.", examples=[0.99998]
    )


class ModelLimits(_Body):
    """What a model accepts."""

    max_pixels: int | None = Field(description="Maximum pixels of an image without a target size.", examples=[33554432])


class ServedModel(_Body):
    """A model that requests may name."""

    name: str = Field(examples=["PP-LiteSeg-T"])
    version: str = Field(description="Triton's version number.", examples=["1"])
    classes: list[ModelClass]
    limits: ModelLimits
    provenance: Provenance


class ServiceLimits(_Body):
    """What the gateway accepts, for any model."""

    max_body_bytes: int = Field(examples=[67108864])
    max_pixels: int = Field(examples=[178956970])
    max_images: int = Field(description="Per batch.", examples=[256])
    timeout: float = Field(description="Seconds that an inference may take.", examples=[60])


class ModelsResult(_Body):
    default: str | None = Field(description="The model for requests that name none.", examples=["PP-LiteSeg-T"])
    models: list[ServedModel]
    limits: ServiceLimits


class ModelsResponse(_Envelope):
    """The models that requests may name."""

    error_code: Literal[0] = 0
    error_msg: Literal["Success"] = "Success"
    result: ModelsResult


class ErrorResponse(_Envelope):
    """The response to a failed request."""

    error_code: int = Field(description="The HTTP status.", examples=[422])
    error_msg: str = Field(
        description="What went wrong. With 422: a JSON array of objects with `type`, `loc` and `msg`.",
        examples=['[{"type": "missing", "loc": "body.image", "msg": "Field required"}]'],
    )


class BatchLine(_Envelope):
    """The answer to one image of a batch."""

    index: int = Field(ge=0, description="The image's position in the request.", examples=[0])
    error_code: int = Field(description="0, or the HTTP status that the image would get on its own.", examples=[0])
    error_msg: str = Field(examples=["Success"])
    result: SegmentationResult | None = None
