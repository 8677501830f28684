"""Callers that compare every label map with the one that the idle service gave."""

from __future__ import annotations

import io
import random
import threading
import time
from dataclasses import dataclass

import cv2
import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from demo.scenes import scene
from semseg_client import Client, DeadlineExceeded, Overloaded, SemsegError, Unavailable
from tests.support import STREET, Service, encoded

from .tally import Tally

TIMEOUT = 70  # s; the service answers within 60, if only with 504
TRIES = 4  # each time a connection breaks, a gateway process may have been killed
PATH = "/semantic-segmentation"


@dataclass(frozen=True)
class Case:
    """An image, its target size, and the right label map, uint8 [H, W]."""

    image: bytes
    target_size: int | None
    expected: NDArray[np.uint8]


def cases(service: Service) -> list[Case]:
    """Images of several kinds and sizes, with the answers of an idle service."""
    street = cv2.imread(str(STREET))
    images = [
        (STREET.read_bytes(), None),
        (STREET.read_bytes(), 256),
        *((bytes(cv2.imencode(suffix, scene(seed, *size)[0])[1]), None) for seed, suffix, size in SCENES),
        (bytes(cv2.imencode(".webp", cv2.resize(street, (700, 333)))[1]), 400),
    ]
    with Client(service.grpc) as client:
        return [Case(image, size, client.segment(image, target_size=size).label_map.copy()) for image, size in images]


SCENES = ((1, ".png", (256, 128)), (2, ".jpg", (640, 360)), (3, ".bmp", (321, 217)))


def by_rest(service: Service, known: list[Case], tally: Tally, over: threading.Event, seed: int) -> None:
    """Send requests in random forms until `over` is set."""
    chance, session = random.Random(seed), requests.Session()  # noqa: S311
    while not over.is_set():
        case = chance.choice(known)
        form = chance.choice((as_json, as_bytes, as_form))
        for left in reversed(range(TRIES)):
            begun = time.monotonic()
            try:
                answer, label_map = form(session, service.rest + PATH, case)
            except requests.ConnectionError as error:
                with tally.lock:
                    tally.again += 1
                if left == 0:
                    tally.fail(f"REST: {TRIES} connections broke: {error}"[:300])
                time.sleep(0.3)
                continue
            except (requests.RequestException, ValueError) as error:
                tally.fail(f"REST, {form.__name__}: {error!r}"[:300])
            else:
                _judge_rest(answer, label_map, case, tally, time.monotonic() - begun)
            break


def _judge_rest(answer: requests.Response, label_map: NDArray[np.uint8] | None, case: Case, tally: Tally, took: float) -> None:
    if took > TIMEOUT - 5:
        tally.fail(f"REST: answered {answer.status_code} after {took:.0f} s")
    elif label_map is not None:
        same = label_map.shape == case.expected.shape and np.array_equal(label_map, case.expected)
        tally.right("REST") if same else tally.fail("REST: wrong label map")
    elif answer.status_code in (503, 504) and answer.json().get("errorCode") == answer.status_code:
        tally.refuse(f"REST {answer.status_code}")
        time.sleep(min(float(answer.headers.get("Retry-After", 1)), 1.0))
    else:
        tally.fail(f"REST: {answer.status_code} {answer.text[:200]}")


def as_json(session: requests.Session, url: str, case: Case) -> tuple[requests.Response, NDArray[np.uint8] | None]:
    body = {"image": encoded(case.image), "targetSize": case.target_size, "visualize": False}
    answer = session.post(url, json=body, timeout=TIMEOUT)
    if answer.status_code != 200:
        return answer, None
    result = answer.json()["result"]
    return answer, np.array(result["labelMap"], np.uint8).reshape(result["size"])


def as_bytes(session: requests.Session, url: str, case: Case) -> tuple[requests.Response, NDArray[np.uint8] | None]:
    headers = {"Content-Type": "image/jpeg", "Accept": "application/octet-stream"}
    query = {"targetSize": case.target_size} if case.target_size else {}
    answer = session.post(url, data=case.image, headers=headers, params=query, timeout=TIMEOUT)
    if answer.status_code != 200:
        return answer, None
    size = int(answer.headers["X-Image-Height"]), int(answer.headers["X-Image-Width"])
    return answer, np.frombuffer(answer.content, np.uint8).reshape(size)


def as_form(session: requests.Session, url: str, case: Case) -> tuple[requests.Response, NDArray[np.uint8] | None]:
    fields = {"targetSize": str(case.target_size)} if case.target_size else {}
    files = {"image": io.BytesIO(case.image)}
    answer = session.post(url, files=files, data=fields, headers={"Accept": "image/png"}, timeout=TIMEOUT)
    if answer.status_code != 200:
        return answer, None
    return answer, np.asarray(Image.open(io.BytesIO(answer.content)), np.uint8)


def by_grpc(service: Service, known: list[Case], tally: Tally, over: threading.Event, seed: int) -> None:
    """Send requests to Triton until `over` is set."""
    chance = random.Random(seed)  # noqa: S311
    with Client(service.grpc) as client:
        client.models()
        while not over.is_set():
            case = chance.choice(known)
            try:
                found = client.segment(case.image, target_size=case.target_size, picture=chance.random() < 0.5).label_map
            except (Overloaded, Unavailable, DeadlineExceeded) as error:
                tally.refuse(f"gRPC {type(error).__name__}")
                time.sleep(0.5)
            except SemsegError as error:
                tally.fail(f"gRPC: {error!r}"[:300])
            else:
                tally.right("gRPC") if np.array_equal(found, case.expected) else tally.fail("gRPC: wrong label map")
