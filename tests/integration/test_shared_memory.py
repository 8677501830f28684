"""A service whose /dev/shm has 64 MB, which is what Docker gives a container by default."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from semseg_client import Client, SharedMemoryFull, SharedMemoryTooSmall
from tests.chaos.service import Running, SharedMemory, running
from tests.support import DEMO, copied, encoded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small")


@pytest.fixture(scope="module")
def small(repository: Path, folder: Path) -> Iterator[Running]:
    memory = SharedMemory(64)
    if memory.holder is None:
        pytest.skip("a /dev/shm of its own requires root and unshare")
    try:
        with running(copied(repository, folder), memory) as service:
            yield service
    finally:
        memory.close()


def image(width: int, height: int) -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((height, width, 3), np.uint8))[1])


def post(service: Running, content: bytes, **options: object) -> requests.Response:
    body = {"image": encoded(content), "visualize": True, **options}
    return requests.post(f"{service.service.rest}/semantic-segmentation", json=body, timeout=60)


def test_the_start_and_health_warn_and_say_what_to_do(small: Running, folder: Path) -> None:
    answer = requests.get(f"{small.service.rest}/health", timeout=10)
    assert (answer.status_code, answer.json()["errorMsg"]) == (200, "Healthy")
    [warning] = answer.json()["result"]["warnings"]
    assert f"Warning: {warning}\n" in (folder / "service.log").read_text()
    for told in ("63 MB are free in /dev/shm", DEMO, "--shm-size=", "medium: Memory"):
        assert told in warning


def test_memory_that_others_fill_is_told_as_full_for_the_moment(small: Running) -> None:
    ballast = small.memory.path / "ballast"
    content = image(1800, 1200)  # the regions must grow for it
    before = small.processes()
    with Client(small.service.grpc, patience=0) as client:
        try:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                for _ in range(64):
                    file.write(bytes(2**20))
            with pytest.raises(SharedMemoryFull, match="no room left in its shared memory"):
                client.segment(content)
        finally:
            ballast.unlink()
        assert client.segment(content).size == (1200, 1800)
    assert small.processes() == before


def test_an_image_that_does_not_fit_is_503_at_once_and_smaller_ones_are_answered(small: Running) -> None:
    large = image(4000, 3000)
    begun = time.monotonic()
    answers = [post(small, large) for _ in range(3)]
    assert time.monotonic() - begun < 10
    for answer in answers:
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, None)
        assert "shared memory (/dev/shm) is too small for this image" in answer.json()["errorMsg"]
    with Client(small.service.grpc) as client, pytest.raises(SharedMemoryTooSmall, match=r"room for \d+ pixels"):
        client.segment(large)
    assert post(small, large, targetSize=1024).json()["result"]["size"] == [3000, 4000]
    assert post(small, image(2200, 1700)).status_code == 200  # 3.6 megapixels, close to what fits
    assert post(small, image(64, 64)).status_code == 200
