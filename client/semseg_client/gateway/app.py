"""The gateway as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi_offline import FastAPIOffline

from semseg_contract.tensors import ADMITTED

from ..hosting.supervision.status import StatusFile, Unsupervised
from ..triton.client import AsyncClient
from . import description
from .access.checks import add_checks
from .failures import UNHEALTHY, Failed
from .http.access_log import AccessLog
from .http.envelope import answer_errors, envelope, failed
from .http.head_method import HeadMethod
from .http.root_path import RootPath
from .http.traffic import Traffic
from .overload import OverloadCheck
from .routes import batch, models
from .routes import segmentation as infer
from .routes.health import Health
from .schemas import HealthResponse, LifeResponse, ModelsResponse
from .segmenter import Segmenter
from .settings import Settings


def create_app(settings: Settings, status: StatusFile | None = None) -> FastAPI:
    """The gateway to the tritonserver at `settings.url`. `status` comes from that server's supervisor, if there is one."""
    supervision = status or Unsupervised()
    # The gateway's images wait here, so preprocess must not refuse them when many others wait in Triton.
    admitted = {ADMITTED: supervision.ticket()}
    client = AsyncClient(settings.url, settings.timeout, parameters=admitted)
    prober = AsyncClient(settings.url, settings.timeout, patience=0, parameters=admitted)
    health = Health(prober, settings.model, supervision.read)
    segmenter = Segmenter(client, settings.model, health, supervision, settings.timeout, settings.max_waiting)
    remote = None
    if settings.image_hosts:  # most servers fetch no images, and its libraries take 6 MB
        from .url_images import UrlImages

        remote = UrlImages(settings.image_hosts, settings.max_body_bytes, settings.image_timeout)

    traffic = Traffic(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        watching = asyncio.create_task(traffic.watch())
        yield {"traffic": traffic}
        watching.cancel()
        await asyncio.gather(prober.close(), client.close())

    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title="Paddle semantic segmentation on Triton",
        version="1",
        description=description.DESCRIPTION,
        redoc_url=None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url="",  # None is not accepted; there is no OAuth2, and /docs would name it without the prefix
        swagger_ui_parameters={"validatorUrl": None},  # the validator is on another host
        lifespan=lifespan,
    )
    answer_errors(app)
    app.add_middleware(OverloadCheck, traffic=traffic, overload=segmenter.overload)
    add_checks(app, settings)
    app.add_middleware(HeadMethod)
    app.add_middleware(RootPath, root_path=settings.root_path or "", routes=app.routes)
    app.add_middleware(AccessLog)  # the last added is the outermost

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
        summary="The served models, and the limits of the service",
        response_model=None,
        **description.plain(ModelsResponse, "The models", *description.ACCESS, 500, 503, 504),
    )
    async def _(request: Request) -> Response:
        return envelope(request, 200, "Success", result=models.told(await client.models(refresh=True), settings))

    async def _ready(request: Request) -> Response:
        reason = await health.check()
        if reason is not None:
            return failed(request, Failed(UNHEALTHY, reason=reason))
        warnings = supervision.read().warnings
        return envelope(request, 200, "Healthy", result={"warnings": warnings} if warnings else None)

    for path, name in (("/health", "checkHealth"), ("/readyz", "checkReadiness")):
        app.get(
            path,
            operation_id=name,
            summary="Whether every model answers",
            response_model=None,
            **description.plain(HealthResponse, "Every model answers", 403, 503),
        )(_ready)

    @app.get(
        "/livez",
        operation_id="checkLife",
        summary="Whether the gateway itself answers, whatever the state of the models",
        response_model=None,
        **description.plain(LifeResponse, "The gateway answers", 403),
    )
    async def _(request: Request) -> Response:
        return envelope(request, 200, "Alive")

    if settings.api_keys_file is not None:
        description.require_key(app.openapi())  # generated once and kept
    return app
