"""Many concurrent callers through several gateway processes: each gets the answer to its own image.

SEMSEG_LOAD sets the number of requests; a full run makes 2048:

    SEMSEG_LOAD=2048 pytest tests/integration/test_load.py
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import requests

from demo.run import serving
from demo.scenes import scene
from semseg_client import Client
from tests.support import DEMO, STREET, Service, counted, encoded, street

REQUESTS = int(os.environ.get("SEMSEG_LOAD", "256"))
CALLERS = 32
LARGE = bytes(cv2.imencode(".jpg", scene(3_000_300, 2048, 1024)[0])[1])


@pytest.fixture(scope="module")
def gateway(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two gateway processes in front of the session's tritonserver."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    with serving(nowhere, "--url", service.grpc, "--model", DEMO, "--workers", "2") as addresses:
        yield addresses["rest"]


@pytest.fixture(scope="module")
def hurried(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway process that answers within a second or fails."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    with serving(nowhere, "--url", service.grpc, "--model", DEMO, "--workers", "1", "--timeout", "1") as addresses:
        yield addresses["rest"]


@pytest.fixture(scope="module")
def patient(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway process that may take a minute to answer."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    with serving(nowhere, "--url", service.grpc, "--model", DEMO, "--workers", "1") as addresses:
        yield addresses["rest"]


def images(number: int) -> list[bytes]:
    """Parts of a street: different images with different content."""
    street = cv2.imread(str(STREET))
    random = np.random.default_rng(5)
    found = []
    for _ in range(number):
        left, top = int(random.integers(0, street.shape[1] - 160)), int(random.integers(0, street.shape[0] - 96))
        found.append(bytes(cv2.imencode(".png", street[top : top + 96, left : left + 160])[1]))
    return found


def test_each_of_many_callers_gets_its_own_answer_and_log_id(gateway: str, service: Service) -> None:
    sent = images(64)
    with Client(service.grpc) as client:
        expected = [client.segment(image, DEMO, picture=False).label_map.ravel().tolist() for image in sent]
    assert len({tuple(each) for each in expected}) > 60
    session = threading.local()

    def call(number: int) -> tuple[str, bool]:
        if not hasattr(session, "here"):
            session.here = requests.Session()
        body = {"image": encoded(sent[number % len(sent)])}
        answer = session.here.post(f"{gateway}/semantic-segmentation", json=body, timeout=120).json()
        return answer["logId"], answer["result"]["labelMap"] == expected[number % len(sent)]

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(call, range(REQUESTS)))
    assert all(right for _, right in answers)
    assert len({log_id for log_id, _ in answers}) == REQUESTS


def test_tritonserver_waits_for_the_network_without_a_core_of_its_own(service: Service) -> None:
    port = int(service.grpc.rpartition(":")[2])
    [triton] = [each for each in psutil.Process().children(recursive=True) if listens(each, port)]
    image = street(1024, 512)

    def seconds() -> float:
        times = triton.cpu_times()
        return float(times.user + times.system)

    with Client(service.grpc) as client, ThreadPoolExecutor(3) as pool:  # one is in the network, the others wait
        before, started = seconds(), time.monotonic()
        list(pool.map(lambda _: client.segment(image, DEMO, picture=False), range(90)))
        taken = time.monotonic() - started
    assert (seconds() - before) / taken < 0.3


def test_what_waits_is_not_decoded(patient: str, service: Service) -> None:
    most = 0
    with ThreadPoolExecutor(24) as pool:
        answers = [pool.submit(segment, patient) for _ in range(24)]
        while not all(answer.done() for answer in answers):
            most = max(most, counted(service, "nv_inference_pending_request_count"))
            time.sleep(0.02)
    assert [answer.result() for answer in answers] == [200] * 24
    assert most <= 1  # one is in the network, and one waits for it


def test_under_too_much_load_most_of_what_is_begun_is_answered_in_time(hurried: str, service: Service) -> None:
    before, end = begun(service), time.monotonic() + 6

    def loop(number: int) -> list[int]:
        time.sleep(number / 24)  # spread the starts
        statuses = []
        while time.monotonic() < end:
            statuses.append(segment(hurried))
        return statuses

    with ThreadPoolExecutor(24) as pool:
        statuses = [status for each in pool.map(loop, range(24)) for status in each]
    assert set(statuses) <= {200, 503, 504}
    assert statuses.count(200) > (begun(service) - before) / 2
    assert requests.get(f"{hurried}/health", timeout=30).status_code == 200


def test_who_hangs_up_while_waiting_has_nothing_begun(patient: str, service: Service) -> None:
    def hang_up(_: int) -> bool:
        try:
            return segment(patient, timeout=0.2) == 200
        except requests.RequestException:
            return False

    before = begun(service)
    with ThreadPoolExecutor(64) as pool:
        answered = sum(pool.map(hang_up, range(64)))
    assert segment(patient) == 200  # returns only after all earlier ones are done
    assert begun(service) - before <= answered + 8


def segment(rest: str, timeout: float = 60) -> int:
    """The status of the answer to a large image."""
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    return requests.post(f"{rest}/semantic-segmentation", data=LARGE, headers=headers, timeout=timeout).status_code


def begun(service: Service) -> int:
    """How many images the network has segmented, after it has finished those in progress."""
    time.sleep(1.5)
    return counted(service, "nv_inference_request_success")


def test_a_process_that_dies_is_replaced(service: Service, tmp_path: Path) -> None:
    with serving(tmp_path, "--url", service.grpc, "--model", DEMO, "--workers", "2") as addresses:
        before = workers(addresses["rest"])
        assert len(before) == 2
        before.pop().kill()
        end = time.monotonic() + 30
        while len(now := workers(addresses["rest"])) < 2 or now == before:
            assert time.monotonic() < end
            time.sleep(0.1)
        for _ in range(8):
            assert requests.get(f"{addresses['rest']}/health", timeout=30).status_code == 200


def test_a_stopped_service_finishes_what_it_has_begun(service: Service, tmp_path: Path) -> None:
    body = {"image": encoded(STREET.read_bytes())}
    with serving(tmp_path, "--url", service.grpc, "--model", DEMO, "--workers", "2") as addresses, ThreadPoolExecutor(8) as pool:
        url = f"{addresses['rest']}/semantic-segmentation"
        begun = [pool.submit(requests.post, url, json=body, timeout=60) for _ in range(8)]
        time.sleep(0.4)
        main_process(addresses["rest"]).send_signal(signal.SIGTERM)
        assert [each.result().status_code for each in begun] == [200] * 8


def main_process(rest: str) -> psutil.Process:
    """The process that started the others listening on this port."""
    port = int(rest.rpartition(":")[2])
    ours = psutil.Process().children(recursive=True)
    [main] = [each for each in ours if listens(each, port) and not listens(each.parent(), port)]
    return main


def workers(rest: str) -> set[psutil.Process]:
    port = int(rest.rpartition(":")[2])
    return {each for each in main_process(rest).children() if listens(each, port)}


def listens(process: psutil.Process | None, port: int) -> bool:
    try:
        return process is not None and any(each.laddr.port == port for each in process.net_connections("inet") if not each.raddr)
    except psutil.NoSuchProcess:
        return False
