"""The REST contract against the running service: the envelope, and every wrong request."""

from __future__ import annotations

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from PIL import Image

from semseg_client import Client
from tests.fuzz.seeds import png
from tests.support import DEMO, STREET, Service, encoded


def post(service: Service, **fields: Any) -> requests.Response:
    return requests.post(f"{service.rest}/semantic-segmentation", json=fields, timeout=60)


def test_the_envelope_is_paddlexs(service: Service) -> None:
    answer = post(service, image=encoded(STREET.read_bytes())).json()
    height, width = cv2.imread(str(STREET)).shape[:2]
    assert list(answer) == ["logId", "errorCode", "errorMsg", "result"]
    assert (answer["errorCode"], answer["errorMsg"]) == (0, "Success")
    assert set(answer["result"]) == {"labelMap", "size", "image"}
    assert answer["result"]["size"] == [height, width]
    assert len(answer["result"]["labelMap"]) == height * width


def test_rest_and_grpc_give_one_label_map(service: Service) -> None:
    result = post(service, image=encoded(STREET.read_bytes())).json()["result"]
    with Client(service.grpc) as client:
        segmentation = client.segment(STREET, DEMO)
    np.testing.assert_array_equal(np.array(result["labelMap"], np.uint8).reshape(result["size"]), segmentation.label_map)
    assert base64.b64decode(result["image"]) == segmentation.picture


def test_the_picture_shows_each_class_in_paddlexs_colour(service: Service) -> None:
    result = post(service, image=encoded(STREET.read_bytes())).json()["result"]
    with Client(service.grpc) as client:
        palette = np.array(next(model for model in client.models() if model.name == DEMO).palette, np.int64)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(result["image"]))).convert("RGB"), np.int64)
    meant = palette[np.array(result["labelMap"]).reshape(result["size"])]
    assert np.median(np.abs(shown - meant)) <= 2  # JPEG is lossy at the borders
    assert palette[0].tolist() == [128, 0, 0]


def test_without_visualize_there_is_no_picture(service: Service) -> None:
    result = post(service, image=encoded(STREET.read_bytes()), visualize=False).json()["result"]
    assert set(result) == {"labelMap", "size"}


def test_a_target_size_changes_the_answer_but_not_its_size(service: Service) -> None:
    image = encoded(STREET.read_bytes())
    native, small = (post(service, image=image, **options).json()["result"] for options in ({}, {"targetSize": 256}))
    assert small["size"] == native["size"]
    assert small["labelMap"] != native["labelMap"]


def test_an_offer_of_http2_is_declined_and_the_request_answered(service: Service) -> None:
    """Java's HttpClient sends it with every first request."""
    offer = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    }
    body = {"image": encoded(STREET.read_bytes())}
    response = requests.post(f"{service.rest}/semantic-segmentation", json=body, headers=offer, timeout=60)
    assert response.status_code == 200, response.text


def text(message: str) -> dict[str, str]:
    return {"image": encoded(message.encode())}


JPEG = STREET.read_bytes()
LONG = bytes(cv2.imencode(".png", np.zeros((1, 70000), np.uint8))[1])
SMALL = bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1])
WRONG: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"image=x", "JSON"),
    "nothing": (b"", "JSON"),
    "a list": (b"[]", "body"),
    "no image": (b"{}", "image"),
    "an image that is a number": (b'{"image": 1}', "image"),
    "bad Base64": (b'{"image": "!!!!"}', "Base64"),
    "half of a Base64 quantum": (b'{"image": "abcde"}', "Base64"),
    "an empty image": (b'{"image": ""}', "empty"),
    "a text file": (json.dumps(text("not an image at all")).encode(), "cannot be decoded"),
    "a truncated image": (json.dumps({"image": encoded(JPEG[: len(JPEG) // 2])}).encode(), "not a whole image"),
    "an image of too many pixels": (
        json.dumps({"image": encoded(png(20000, 20000, 1, 0))}).encode(),
        "more than 178956970 pixels",
    ),
    "an image too long for a JPEG": (json.dumps({"image": encoded(LONG)}).encode(), "too long for a JPEG"),
    "a target that makes too many pixels": (json.dumps({"image": encoded(SMALL), "targetSize": 9000}).encode(), "9024x9024"),
    "a URL": (b'{"image": "https://example.com/street.jpg"}', "URL"),
    "a wrong targetSize": (json.dumps({"image": encoded(JPEG), "targetSize": -3}).encode(), "targetSize"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_422_with_its_problem_named_and_the_server_goes_on(service: Service, case: str) -> None:
    body, named = WRONG[case]
    response = requests.post(
        f"{service.rest}/semantic-segmentation", data=body, headers={"Content-Type": "application/json"}, timeout=60
    )
    answer = response.json()
    assert response.status_code == 422
    assert set(answer) == {"logId", "errorCode", "errorMsg"}
    assert answer["errorCode"] == 422
    assert named in answer["errorMsg"]
    assert all(set(problem) == {"type", "loc", "msg"} for problem in json.loads(answer["errorMsg"]))
    assert "Traceback" not in response.text
    assert requests.get(f"{service.rest}/health", timeout=10).json()["errorMsg"] == "Healthy"


def test_a_bad_request_among_good_ones_fails_alone(service: Service) -> None:
    bodies = [encoded(JPEG if each % 3 else JPEG[:5000]) for each in range(9)]
    with ThreadPoolExecutor(9) as pool:
        statuses = list(pool.map(lambda image: post(service, image=image).status_code, bodies))
    assert statuses == [200 if each % 3 else 422 for each in range(9)]


def test_an_image_that_cannot_be_drawn_costs_its_batch_nothing(service: Service) -> None:
    """Scaled to the same size, the long image and the others share a batch of draw."""
    other = bytes(cv2.imencode(".png", np.zeros((32, 512), np.uint8))[1])
    images = [encoded(LONG if each % 6 == 0 else other) for each in range(24)]
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda image: post(service, image=image, targetSize=512).status_code, images))
    assert statuses == [422 if each % 6 == 0 else 200 for each in range(24)]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/semantic-segmentation", 405), ("GET", "/nothing", 404)])
def test_other_errors_have_the_envelope_too(service: Service, method: str, path: str, status: int) -> None:
    response = requests.request(method, service.rest + path, timeout=10)
    assert (response.status_code, response.json()["errorCode"]) == (status, status)


def test_health_says_healthy(service: Service) -> None:
    answer = requests.get(f"{service.rest}/health", timeout=10).json()
    assert {key: answer[key] for key in ("errorCode", "errorMsg")} == {"errorCode": 0, "errorMsg": "Healthy"}
    assert answer["logId"]
