from __future__ import annotations

from semseg_client import AsyncClient, Unavailable
from semseg_client.gateway.health import Health


async def test_a_model_that_has_just_answered_is_not_asked_again() -> None:
    async with AsyncClient("127.0.0.1:1") as client:
        health = Health(client, None)
        health.answered()
        assert await health.check() is None


async def test_what_was_found_holds_for_a_moment() -> None:
    async with AsyncClient("127.0.0.1:1") as client:
        health = Health(client, None)
        first = await health.check()
        assert isinstance(first, Unavailable)
        assert await health.check() is first
