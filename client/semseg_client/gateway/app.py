"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline

from ..client import AsyncClient
from . import batch, description, infer, models
from .envelope import answer_errors, envelope, failed
from .failures import UNHEALTHY, Failed
from .gate import Gate
from .health import Health
from .remote import Remote
from .schemas import HealthResponse, ModelsResponse
from .segmenter import Segmenter
from .settings import Settings
from .traffic import Traffic


def create_app(settings: Settings) -> FastAPI:
    """The gateway to the tritonserver at `settings.url`."""
    client = AsyncClient(settings.url, settings.timeout)
    health = Health(client, settings.model)
    segmenter = Segmenter(client, settings.model, health, settings.timeout, settings.max_waiting)
    remote = Remote(settings.image_hosts, settings.max_body_bytes, settings.image_timeout)

    traffic = Traffic(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        watching = asyncio.create_task(traffic.watch())
        yield {"traffic": traffic}
        watching.cancel()
        await client.close()

    app = FastAPIOffline(  # what /docs shows comes from here, and from no other host
        title="Paddle semantic segmentation on Triton",
        version="1",
        description=description.DESCRIPTION,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},  # which is at another host
        lifespan=lifespan,
    )
    answer_errors(app)
    app.add_middleware(Gate, traffic=traffic, overload=segmenter.overload)

    @app.post(
        "/semantic-segmentation",
        operation_id="infer",
        summary="Segment one image",
        response_model=None,
        **description.infer(),
    )
    async def _(request: Request) -> Response:
        return await infer.infer(request, settings, segmenter, remote)

    @app.post(
        "/semantic-segmentation/batch",
        operation_id="inferBatch",
        summary="Segment several images",
        response_model=None,
        **description.batch(),
    )
    async def _(request: Request) -> Response:
        return await batch.batch(request, settings, segmenter, remote)

    @app.get(
        "/models",
        operation_id="listModels",
        summary="The models that are served, and what the service takes",
        response_model=None,
        **description.plain(ModelsResponse, "The models", 500, 503, 504),
    )
    async def _(request: Request) -> Response:
        return envelope(request, 200, "Success", result=models.told(await client.models_now(), settings))

    @app.get(
        "/health",
        operation_id="checkHealth",
        summary="Whether the model answers",
        response_model=None,
        **description.plain(HealthResponse, "It does", 503),
    )
    async def _(request: Request) -> Response:
        error = await health.check()
        if error is not None:
            return failed(request, Failed(UNHEALTHY, reason=error))
        return envelope(request, 200, "Healthy")

    return app
