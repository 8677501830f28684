from __future__ import annotations

import asyncio

import pytest

import semseg_client.gateway.routes.health as health_module
from semseg_client import AsyncClient, Model, Segmentation
from semseg_client.gateway.routes.health import Health, _Pulse
from semseg_client.hosting.supervision.status import Fault, Status


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient("127.0.0.1:1", patience=0)


async def test_a_model_that_has_just_answered_is_not_asked_again(client: AsyncClient) -> None:
    now = 100.0
    health = Health(client, "A", Status, clock=lambda: now)
    health.answered("A")
    assert await health.check() is None
    now = 103.0
    assert await health.check() == "no tritonserver answers at 127.0.0.1:1"


async def test_a_server_that_hangs_is_told_long_before_an_inference_could_count_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hung:
        async def models(self, *, refresh: bool = False) -> list[Model]:
            return await asyncio.Future() if refresh else []

        async def segment(self, *_: object) -> Segmentation:
            return await asyncio.Future()

    monkeypatch.setattr(health_module, "_WAIT", 0.01)
    now = 100.0
    health = Health(Hung(), "A", Status, clock=lambda: now)  # type: ignore[arg-type]
    health.answered("A")
    assert await health.check() is None
    now = 103.0
    assert await health.check() == "the inference server does not answer"


async def test_a_dead_process_is_told_before_any_inference_fails(client: AsyncClient) -> None:
    health = Health(client, "A", lambda: Status({"A": Fault("preprocess has died")}))
    health.answered("A")
    assert await health.check() == "preprocess has died"


async def test_a_service_that_is_about_to_end_is_not_ready(client: AsyncClient) -> None:
    health = Health(client, "A", lambda: Status(draining=True))
    health.answered("A")
    assert await health.check() == "the service is shutting down"


async def test_a_model_that_has_never_answered_is_not_ready(client: AsyncClient) -> None:
    assert _Pulse(client, "A", lambda: 100.0).trouble() == "no inference has been answered yet"
