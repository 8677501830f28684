"""REST beyond PaddleX: raw images, forms, URLs, other kinds of answer, batches."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
import zstandard
from PIL import Image

from demo.run import serving
from semseg_client import Client, Segmentation
from semseg_client.results.polygons import polygons
from tests.support import DEMO, STREET, Service, counted, encoded
from tests.website import website

JPEG = STREET.read_bytes()
OTHER = "PP-LiteSeg-T"


@pytest.fixture(scope="module")
def street(service: Service) -> Segmentation:
    with Client(service.grpc) as client:
        return client.segment(STREET, DEMO)


@pytest.fixture(scope="module")
def small(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that accepts loopback URLs, images of up to 0.6 megapixels and batches of five, two at a time."""
    nowhere = tmp_path_factory.mktemp("nowhere")
    flags = ["--image-hosts", "127.0.0.0/8", "--max-pixels", "600000", "--max-images", "5", "--batch-concurrency", "2"]
    with serving(nowhere, "--url", service.grpc, "--model", DEMO, *flags) as addresses:
        yield addresses["rest"]


def post(rest: str, path: str = "", **arguments: Any) -> requests.Response:
    return requests.post(f"{rest}/semantic-segmentation{path}", timeout=60, **arguments)


def raw(rest: str, accept: str = "*/*", **query: str) -> requests.Response:
    return post(rest, data=JPEG, params=query, headers={"Content-Type": "image/jpeg", "Accept": accept})


def label_map(answer: requests.Response) -> Any:
    result = answer.json()["result"]
    return np.array(result["labelMap"], np.uint8).reshape(result["size"])


def test_every_form_of_request_gives_one_label_map(service: Service, street: Segmentation) -> None:
    for answer in (
        raw(service.rest),
        post(service.rest, data=JPEG, headers={"Content-Type": "application/octet-stream"}),
        post(service.rest, files={"image": JPEG}),
        post(service.rest, json={"image": f"data:image/jpeg;base64,{encoded(JPEG)}"}),
        post(service.rest, data=json.dumps({"image": encoded(JPEG)}), headers={"Content-Type": "text/plain"}),
    ):
        assert answer.status_code == 200
        np.testing.assert_array_equal(label_map(answer), street.label_map)


def test_options_mean_the_same_in_every_form(full_service: Service) -> None:
    options = {"targetSize": "256", "outputs": "labelMap,classes", "model": OTHER, "logId": "mine"}
    in_json = {"image": encoded(JPEG), "targetSize": 256, "outputs": ["labelMap", "classes"], "model": OTHER, "logId": "mine"}
    answers = [
        post(full_service.rest, json=in_json),
        raw(full_service.rest, **options),
        post(full_service.rest, files={"image": JPEG}, data=options),
        post(full_service.rest, files={"image": JPEG}, data=options, params={"model": DEMO, "outputs": "png"}),
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert {answer.headers["X-Log-Id"] for answer in answers} == {"mine"}
    assert {answer.headers["X-Model-Name"] for answer in answers} == {OTHER}


def test_a_png_holds_the_ids_in_the_palettes_colours(service: Service, street: Segmentation) -> None:
    answer = raw(service.rest, "image/png")
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["Content-Type"], image.format, image.mode) == ("image/png", "PNG", "P")
    np.testing.assert_array_equal(np.asarray(image), street.label_map)
    label = int(street.label_map[0, 0])
    assert image.convert("RGB").getpixel((0, 0)) == street.palette[label]


def test_a_jpeg_is_the_picture(service: Service, street: Segmentation) -> None:
    answer = raw(service.rest, "image/jpeg")
    assert (answer.headers["Content-Type"], answer.content) == ("image/jpeg", street.picture)


def test_bytes_are_the_ids_with_their_shape_in_headers(service: Service, street: Segmentation) -> None:
    answer = raw(service.rest, "application/octet-stream", logId="mine")
    height, width = (int(answer.headers[f"X-Image-{side}"]) for side in ("Height", "Width"))
    np.testing.assert_array_equal(np.frombuffer(answer.content, np.uint8).reshape(height, width), street.label_map)
    assert (answer.headers["X-Model-Name"], answer.headers["X-Model-Version"]) == (DEMO, "1")
    assert answer.headers["X-Log-Id"] == "mine"


def test_classes_polygons_and_png_agree_with_the_label_map(service: Service, street: Segmentation) -> None:
    result = raw(service.rest, outputs="classes,polygons,png").json()["result"]
    assert set(result) == {"size", "classes", "polygons", "png"}
    counts = np.bincount(street.label_map.ravel())
    assert {each["id"]: each["pixels"] for each in result["classes"]} == {int(i): int(counts[i]) for i in np.flatnonzero(counts)}
    assert sum(each["share"] for each in result["classes"]) == pytest.approx(1)
    assert [each["name"] for each in result["classes"]] == list(street.shares())
    [road] = [each for each in result["polygons"]["features"] if each["properties"]["name"] == "road"]
    assert road["geometry"]["coordinates"] == polygons(street.label_map)[road["properties"]["id"]]


@pytest.mark.parametrize(("accepted", "opened"), [("gzip", gzip.decompress), ("zstd", zstandard.ZstdDecompressor().decompress)])
def test_answers_are_compressed_for_who_asks(service: Service, accepted: str, opened: Any) -> None:
    headers = {"Content-Type": "image/jpeg", "Accept-Encoding": accepted, "X-Log-Id": "mine"}
    answer = post(service.rest, data=JPEG, headers=headers, stream=True)
    assert answer.headers["Content-Encoding"] == accepted
    plain = post(service.rest, data=JPEG, headers={**headers, "Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    compressed = answer.raw.read(decode_content=False)
    assert opened(compressed) == plain.content
    assert len(compressed) < len(plain.content) / 5


def test_the_stages_are_timed(service: Service) -> None:
    stages = dict(each.split(";dur=") for each in raw(service.rest).headers["Server-Timing"].split(", "))
    assert list(stages) == ["parse", "inference", "encode"]
    assert float(stages["inference"]) > 1


def test_another_model_is_chosen_by_name(full_service: Service) -> None:
    answer = post(full_service.rest, json={"image": encoded(JPEG), "model": OTHER, "outputs": ["labelMap"]})
    with Client(full_service.grpc) as client:
        np.testing.assert_array_equal(label_map(answer), client.segment(STREET, OTHER, picture=False).label_map)


def test_a_model_that_is_not_served_is_422_with_those_that_are(full_service: Service) -> None:
    answer = post(full_service.rest, json={"image": encoded(JPEG), "model": "secret"})
    [mistake] = json.loads(answer.json()["errorMsg"])
    assert (answer.status_code, mistake["loc"]) == (422, "body.model")
    assert DEMO in mistake["msg"]
    assert OTHER in mistake["msg"]
    assert "secret" not in answer.text


def test_models_tell_what_callers_need(full_service: Service) -> None:
    result = requests.get(f"{full_service.rest}/models", timeout=10).json()["result"]
    assert result["default"] == DEMO
    models = {model["name"]: model for model in result["models"]}
    assert set(models) == {DEMO, OTHER, "PP-LiteSeg-T-legacy"}
    demo = models[DEMO]
    assert demo["classes"][0] == {"id": 0, "name": "road", "colour": "#800000"}
    assert (demo["version"], len(demo["classes"])) == ("1", 19)
    assert demo["limits"]["maxPixels"] % 2**20 == 0
    assert len(demo["provenance"]["sourceSha256"]) == 64


def test_a_url_is_fetched_where_the_owner_allows_it(small: str, street: Segmentation) -> None:
    with website() as site:
        np.testing.assert_array_equal(label_map(post(small, json={"image": f"{site.url}/photos/a.jpg"})), street.label_map)
        wrong = post(small, json={"image": f"{site.url}/none", "logId": "mine"})
    assert (wrong.status_code, wrong.json()["logId"]) == (422, "mine")
    assert "answered 404" in wrong.json()["errorMsg"]


def test_the_gateways_own_limit_of_pixels_holds(small: str) -> None:
    large = bytes(cv2.imencode(".png", np.zeros((601, 1000), np.uint8))[1])
    answer = post(small, files={"image": large})
    assert (answer.status_code, json.loads(answer.json()["errorMsg"])[0]["loc"]) == (422, "body.image")
    assert "more than 600000 pixels" in answer.text


def lines(answer: requests.Response) -> list[Any]:
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.iter_lines()]


def test_a_batch_is_answered_in_order_and_a_bad_image_fails_alone(small: str, street: Segmentation) -> None:
    tiny = encoded(bytes(cv2.imencode(".png", np.zeros((32, 40), np.uint8))[1]))
    sent = [encoded(JPEG), {"image": "!", "logId": "bad"}, 7, {"image": tiny, "outputs": ["labelMap"], "logId": "own"}, tiny]
    answers = lines(post(small, "/batch", json={"images": sent, "outputs": ["labelMap", "classes"], "logId": "all"}))
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3, 4]
    assert [answer["errorCode"] for answer in answers] == [0, 422, 422, 0, 0]
    assert [json.loads(answers[each]["errorMsg"])[0]["loc"] for each in (1, 2)] == ["body.images.1.image", "body.images.2"]
    assert [set(answers[each]["result"]) for each in (0, 3)] == [{"size", "labelMap", "classes"}, {"size", "labelMap"}]
    assert answers[0]["result"]["labelMap"] == street.label_map.ravel().tolist()
    assert (answers[1]["logId"], answers[3]["logId"]) == ("bad", "own")
    assert len({answer["logId"] for answer in answers}) == 5


def test_a_batch_of_files_is_answered_compressed(small: str) -> None:
    files = [("image", JPEG), ("image", b"no image"), ("image", JPEG)]
    answer = post(small, "/batch", files=files, data={"outputs": "classes"}, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert [each["errorCode"] for each in lines(answer)] == [0, 422, 0]


@pytest.mark.parametrize(
    "body", [{}, {"images": []}, {"images": ["x"] * 6}, {"images": "x"}, {"images": ["x"], "targetSize": 0}, []]
)
def test_a_batch_that_is_none_is_422(small: str, body: Any) -> None:
    assert post(small, "/batch", json=body).status_code == 422


def test_who_leaves_a_batch_has_the_rest_not_begun(small: str, service: Service) -> None:
    before = counted(service, "nv_inference_count")
    large = encoded(bytes(cv2.imencode(".png", np.zeros((512, 1024), np.uint8))[1]))
    with requests.post(f"{small}/semantic-segmentation/batch", json={"images": [large] * 5}, timeout=60, stream=True) as answer:
        next(answer.iter_content(1))
    time.sleep(1.5)
    begun = counted(service, "nv_inference_count") - before
    assert begun <= 4  # the one already sent and the two in progress; one more may have begun


def test_health_answers_while_a_batch_is_made(small: str) -> None:
    body = {"images": [encoded(JPEG)] * 5, "outputs": ["labelMap", "png"]}
    with requests.post(f"{small}/semantic-segmentation/batch", json=body, timeout=60, stream=True) as answer:
        assert requests.get(f"{small}/health", timeout=10).status_code == 200
        assert len(lines(answer)) == 5


def test_what_takes_too_long_is_504_and_costs_the_server_nothing(service: Service, tmp_path: Path) -> None:
    large = bytes(cv2.imencode(".png", np.zeros((1024, 2048), np.uint8))[1])
    with serving(tmp_path, "--url", service.grpc, "--model", DEMO, "--timeout", "0.05") as addresses:
        for _ in range(6):
            answer = post(addresses["rest"], files={"image": large})
            assert (answer.status_code, answer.json()["errorMsg"]) == (504, "The inference took too long")
    assert raw(service.rest).status_code == 200
