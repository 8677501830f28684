from __future__ import annotations

import resource

import pytest

from semseg_client.gateway import Settings
from semseg_client.gateway.http import traffic
from semseg_client.gateway.http.traffic import Traffic


def test_the_memory_of_a_service_is_shared_among_its_processes() -> None:
    every = Traffic(Settings(workers=4, max_body_bytes=10, body_memory=1000, answer_memory=800))
    assert (every.body_memory, every.answer_memory) == (250, 200)


def test_the_largest_body_has_room_however_small_a_share_is() -> None:
    every = Traffic(Settings(workers=4, max_body_bytes=500, body_memory=1000))
    assert every.body_fits(500)
    every.bodies = 1
    assert not every.body_fits(500)
    assert every.body_fits(500, counted=1)


def test_connections_leave_files_to_the_rest_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert Traffic(Settings(max_connections=100_000)).most_connections == 448
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert Traffic(Settings(max_connections=100_000)).most_connections == 100_000


def test_memory_is_given_back_once_after_much_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(traffic, "give_memory_back", lambda: given.append(1))
    every = Traffic(Settings())
    for held in (0, 2**20, 2**26, 2**26, 0, 0, 2**20):
        every.bodies = held
        every.tick(1)
    assert len(given) == 1
