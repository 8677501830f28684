"""An image that kills preprocess fails only its own request, and is refused from then on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import requests

from tests.fuzz.seeds import encoded
from tests.support import STREET, Service, processes_of

SLOW = encoded(".webp", np.zeros((8000, 8000, 3), np.uint8))  # takes half a second to decode
CONVICTED = "crashed the decoder before; it is refused for an hour"


def post(service: Service, image: bytes) -> requests.Response:
    headers = {"Content-Type": "image/webp"}
    return requests.post(f"{service.rest}/semantic-segmentation?targetSize=64", data=image, headers=headers, timeout=60)


def decoding(service: Service) -> Iterator[psutil.Process]:
    """The preprocess processes that are decoding an image."""
    for stub in processes_of(service.grpc, "preprocess"):
        notes = [Path(file.path) for file in stub.open_files() if file.path.endswith(".note")]
        if any(any(note.read_bytes()) for note in notes):
            yield stub


def test_what_killed_the_decoder_is_refused_from_then_on(service: Service) -> None:
    assert post(service, SLOW).status_code == 200
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, service, SLOW)
        victim = None
        while victim is None and not answer.done():
            victim = next(decoding(service), None)
        assert victim is not None, answer.result().text[:300]
        victim.send_signal(signal.SIGSEGV)
        first = answer.result()
    print(f"{first.status_code}: {first.text[:200]}")
    assert first.status_code in (422, 503)
    begun = time.monotonic()
    while (again := post(service, SLOW)).status_code != 422 and time.monotonic() - begun < 20:
        assert again.status_code == 503, again.text[:300]
        time.sleep(0.2)
    assert CONVICTED in again.text
    print(f"refused after {time.monotonic() - begun:.1f} s")
    assert post(service, STREET.read_bytes()).status_code == 200
