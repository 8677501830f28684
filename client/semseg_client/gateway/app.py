"""The gateway as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from ..client import AsyncClient
from .health import Health
from .request import decoded, parse, read_body
from .response import answer_errors, envelope, success
from .schemas import ErrorResponse, HealthResponse, SegmentationRequest, SegmentationResponse
from .settings import Settings

_ERRORS: dict[int, str] = {
    413: "The body is too large",
    422: "The request is wrong; `errorMsg` says where",
    500: "A defect of the server",
    503: "The inference server is down or busy; try again later",
    504: "The inference took too long",
}


def create_app(settings: Settings) -> FastAPI:
    """The gateway to the tritonserver at `settings.url`."""
    client = AsyncClient(settings.url, settings.timeout)
    health = Health(client, settings.model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.close()

    app = FastAPI(
        title="Paddle semantic segmentation on Triton",
        description="PaddleX's serving API for semantic segmentation.",
        lifespan=lifespan,
    )
    answer_errors(app)

    schema = SegmentationRequest.model_json_schema()

    # FastAPI would make a dictionary of the body first, and take a label map of millions of numbers through pydantic.
    # So both are done here, and the schemas serve for the description alone.
    @app.post(
        "/semantic-segmentation",
        operation_id="infer",
        summary="Segment one image",
        response_model=None,
        responses=_answers(SegmentationResponse, 413, 422, 500, 503, 504),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def infer(request: Request) -> Response:
        asked = parse(await read_body(request, settings.max_body_bytes))
        request.state.log_id = asked.log_id
        image = decoded(asked.image)
        segmentation = await client.segment(
            image, settings.model, target_size=asked.target_size, picture=asked.visualize is not False
        )
        if segmentation.picture is not None:  # without it, one of the processes was not asked
            health.answered()
        return success(request, segmentation)

    @app.get(
        "/health",
        operation_id="checkHealth",
        summary="Whether the model answers",
        response_model=None,
        responses=_answers(HealthResponse, 503),
    )
    async def check_health(request: Request) -> Response:
        error = await health.check()
        if error is not None:
            return envelope(request, 503, f"Unhealthy: {error}")
        return envelope(request, 200, "Healthy")

    return app


def _answers(success: type[BaseModel], *errors: int) -> dict[int | str, dict[str, Any]]:
    answers: dict[int | str, dict[str, Any]] = {200: {"model": success}}
    for status in errors:
        answers[status] = {"model": ErrorResponse, "description": _ERRORS[status]}
    return answers
