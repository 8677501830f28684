"""The image size limit follows from the network's measured memory and its memory budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests
import tritonclient.grpc as grpc

from demo.run import serving
from semseg_client import Client, InvalidImage, InvalidRequest
from tests.support import DEMO, DEMO_WEIGHTS, Service, bare_repository, encoded, export, processes_of, street

BUDGET = 0.5  # GB: two megapixels for the demo network
LIMIT = 2 * 2**20  # pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = bare_repository(tmp_path_factory.mktemp("limits") / "model_repository")
    export(repository, DEMO, DEMO_WEIGHTS, "--memory", str(BUDGET))
    with (repository / "preprocess" / "config.pbtxt").open("a") as config:
        config.write('parameters { key: "batch_megapixels" value { string_value: "128" } }\n')
    return repository


@pytest.fixture(scope="module")
def small(folder: Path) -> Iterator[Service]:
    with serving(folder, "--model", DEMO) as addresses:
        yield Service(**addresses)


@pytest.fixture(scope="module")
def client(small: Service) -> Iterator[Client]:
    with Client(small.grpc) as connection:
        yield connection


def test_an_image_of_the_limits_size_is_taken_and_one_row_more_is_not(client: Client) -> None:
    assert client.model().max_pixels == LIMIT
    assert client.segment(street(2048, 1024)).size == (1024, 2048)
    with pytest.raises(
        InvalidImage, match=r"^image: 2048x1025 is too large: .* 2 megapixels \(2097152 pixels\); pass target_size"
    ):
        client.segment(street(2048, 1025))


def test_a_larger_image_is_taken_with_a_target_size(client: Client) -> None:
    large = street(3000, 2000)
    assert client.segment(large, target_size=1024).size == (2000, 3000)
    with pytest.raises(InvalidRequest, match=r"^target_size: scales the 3000x2000 image to 2400x1600, .*; pass a smaller one"):
        client.segment(large, target_size=(2400, 1600))


def test_rest_names_its_own_fields(small: Service) -> None:
    answer = requests.post(f"{small.rest}/semantic-segmentation", json={"image": encoded(street(3000, 2000))}, timeout=60)
    assert answer.status_code == 422
    [error] = json.loads(answer.json()["errorMsg"])
    assert error["loc"] == "body.image"
    assert "3000x2000 is too large: this model accepts at most 2 megapixels (2097152 pixels); pass targetSize" in error["msg"]


def test_images_are_joined_only_as_far_as_the_memory_goes(client: Client, small: Service) -> None:
    with grpc.InferenceServerClient(small.grpc) as triton, ThreadPoolExecutor(16) as pool:

        def executions(image: bytes) -> int:
            before = counted(triton)
            assert len(list(pool.map(client.segment, [image] * 32))) == 32
            after = counted(triton)
            assert after[0] - before[0] == 32
            return after[1] - before[1]

        assert executions(street(512, 512)) < 32  # eight of them are two megapixels
        assert executions(street(1024, 1024)) == 32
    [process] = processes_of(small.grpc, f"{DEMO}_network")
    peak = int(Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    print(f"the network's process peaked at {peak / 1e9:.2f} GB of {BUDGET} GB")
    assert peak < 1.2 * BUDGET * 1e9


def counted(triton: grpc.InferenceServerClient) -> tuple[int, int]:
    statistics = triton.get_inference_statistics(f"{DEMO}_network", as_json=True)["model_stats"][0]
    return int(statistics["inference_count"]), int(statistics["execution_count"])


def test_a_batch_in_one_request_counts_as_a_whole(small: Service) -> None:
    image = grpc.InferInput("image", [3, 1], "BYTES")
    image.set_data_from_numpy(np.array([[street(1024, 1024)]] * 3, np.object_))
    with (
        grpc.InferenceServerClient(small.grpc) as triton,
        pytest.raises(Exception, match=r"3 images of 1024x1024 at once are too many: .*; send one per request"),
    ):
        triton.infer(DEMO, [image])


def test_a_shape_that_comes_again_takes_no_more_memory(small: Service) -> None:
    [process] = processes_of(small.grpc, f"{DEMO}_network")
    pixels = grpc.InferInput("pixels", [1, 1024, 2048, 3], "UINT8")
    pixels.set_data_from_numpy(np.zeros((1, 1024, 2048, 3), np.uint8))

    def taken_after_each_lane(triton: grpc.InferenceServerClient) -> int:
        for lane in range(2, 6):
            length = grpc.InferInput("lane", [1, lane], "INT8")
            length.set_data_from_numpy(np.zeros((1, lane), np.int8))
            triton.infer(f"{DEMO}_network", [pixels, length])
        return int(process.memory_info().rss)

    with grpc.InferenceServerClient(small.grpc) as triton:
        first = taken_after_each_lane(triton)
        assert taken_after_each_lane(triton) - first < 20e6
