"""The ensemble on the running tritonserver: raw HTTP, pruned outputs, batches, and agreement with Paddle."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
import tritonclient.grpc as grpc

from demo.scenes import scene
from semseg_client import Client, DeadlineExceeded
from tests.support import DEMO, STREET, Service, in_export_environment, street

MODELS = (DEMO, "PP-LiteSeg-T", "PP-LiteSeg-T-legacy")


def counts(triton: grpc.InferenceServerClient, model: str) -> tuple[int, int]:
    statistics = triton.get_inference_statistics(model, as_json=True)["model_stats"][0]
    return int(statistics.get("inference_count", 0)), int(statistics.get("execution_count", 0))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A 2048x1024 and a 1001x667 street, lossless and as JPEG."""
    folder = tmp_path_factory.mktemp("images")
    files = []
    for seed, (width, height) in enumerate(((2048, 1024), (1001, 667))):
        for suffix in ("png", "jpg"):
            files.append(folder / f"{width}x{height}_{suffix}.{suffix}")
            cv2.imwrite(str(files[-1]), scene(3_000_000 + seed, width, height)[0])
    return files


@pytest.mark.parametrize("model", MODELS)
def test_the_served_label_map_is_paddles(
    full_service: Service, weights: dict[str, Path], images: list[Path], model: str, tmp_path: Path
) -> None:
    in_export_environment("-m", "semseg_export.workers.reference", weights[model], *images, "--out", tmp_path)
    with Client(full_service.grpc) as client:
        for image in images:
            expected = np.load(tmp_path / f"{image.stem}.npy")
            found = client.segment(image, model, picture=False).label_map
            assert found.shape == expected.shape
            assert len(np.unique(expected)) > 5, "an oracle of one colour proves nothing"
            equal = np.mean(found == expected)
            print(f"{model}, {image.name}: {equal:.4%} of the pixels equal Paddle's, {np.sum(found != expected)} differ")
            assert equal >= 0.9999


def test_a_raw_image_over_http_reaches_the_ensemble(full_service: Service) -> None:
    response = requests.post(
        f"{full_service.http}/v2/models/{DEMO}/infer",
        data=STREET.read_bytes(),
        headers={"Inference-Header-Content-Length": "0"},
        timeout=60,
    )
    header = response.content[: int(response.headers["Inference-Header-Content-Length"])]
    assert response.status_code == 200
    assert b'"label_map"' in header
    assert b'"picture"' in header


def test_a_step_whose_output_nobody_asked_for_does_not_run(full_service: Service) -> None:
    with grpc.InferenceServerClient(full_service.grpc) as triton, Client(full_service.grpc) as client:
        drawn, _ = counts(triton, "draw")
        mapped, _ = counts(triton, "postprocess")
        client.segment(STREET, DEMO, picture=False)
        deadline = time.monotonic() + 10
        while counts(triton, "postprocess")[0] == mapped and time.monotonic() < deadline:  # Triton counts after it has answered
            time.sleep(0.01)
        assert counts(triton, "postprocess")[0] == mapped + 1
        assert counts(triton, "draw")[0] == drawn


def test_eight_concurrent_requests_of_one_small_size_are_joined(full_service: Service) -> None:
    small = street(512, 256)
    with grpc.InferenceServerClient(full_service.grpc) as triton, Client(full_service.grpc) as client:
        expected = client.segment(small, "PP-LiteSeg-T").label_map
        before = counts(triton, "PP-LiteSeg-T_network")
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: client.segment(small, "PP-LiteSeg-T").label_map, range(8)))
        after = counts(triton, "PP-LiteSeg-T_network")
    assert after[0] - before[0] == 8
    assert after[1] - before[1] < 8
    print(f"8 concurrent requests: {after[0] - before[0]} inferences in {after[1] - before[1]} executions of the network")
    for label_map in found:
        np.testing.assert_array_equal(label_map, expected)


def test_concurrent_requests_of_different_sizes_each_get_their_own_answer(full_service: Service) -> None:
    files = [bytes(cv2.imencode(".png", scene(3_000_100 + each, 256 + 16 * (each % 4), 128)[0])[1]) for each in range(12)]
    with Client(full_service.grpc) as client:
        alone = [client.segment(file, DEMO).label_map for file in files]
        with ThreadPoolExecutor(12) as pool:
            together = list(pool.map(lambda file: client.segment(file, DEMO).label_map, files))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_model_says_where_it_came_from(full_service: Service, weights: dict[str, Path]) -> None:
    with Client(full_service.grpc) as client:
        models = {model.name: model for model in client.models()}
    assert set(models) == set(MODELS)
    for name, model in models.items():
        assert len(model.class_names) == len(model.palette) == 19
        assert model.source is not None
        assert Path(model.source).name == weights[name].name
        assert model.converter == "paddle2onnx 2.1.0"
        assert model.agreement is not None
        assert model.agreement >= 0.999


def test_a_caller_that_does_not_wait_costs_the_server_nothing(full_service: Service) -> None:
    """gRPC's own deadline would cancel the call: with it, tritonserver 2.51 died at the twelfth call."""

    def give_up(client: Client) -> bool:
        try:
            client.segment(STREET, DEMO, timeout=0.02)
        except DeadlineExceeded:
            return True
        return False

    with Client(full_service.grpc) as client, ThreadPoolExecutor(8) as pool:
        client.segment(STREET, DEMO)
        assert any(pool.map(give_up, [client] * 48))
        assert client.segment(STREET, DEMO).picture
