"""Compares REST answers with Paddle's: one network of each family and the demo network, on one tritonserver (`make test-zoo`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from demo.run import serving
from semseg_client import Client, InvalidImage
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights import zoo
from tests.support import DEMO, DEMO_WEIGHTS, Service, bare_repository, encoded, export, in_export_environment

FAMILIES = ("PP-LiteSeg-T", "OCRNet_HRNet-W18", "Deeplabv3_Plus-R50", "SegFormer-B0", "SeaFormer_tiny", "MaskFormer_tiny")
MODELS = (*FAMILIES, DEMO)
SIZES = ((1001, 667), (1024, 512))  # width, height


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    for name in FAMILIES:
        in_export_environment("-m", "tests.networks", folder / name, "--network", name)
    return {**{name: folder / name for name in FAMILIES}, DEMO: DEMO_WEIGHTS}


@pytest.fixture(scope="module")
def repository(weights: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = bare_repository(tmp_path_factory.mktemp("serving") / "model_repository")
    for name, source in weights.items():
        export(folder, name, source)
    return folder


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[Service]:
    """Serves every model of the repository."""
    with serving(repository) as addresses:
        yield Service(**addresses)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    files = [folder / f"{width}x{height}.png" for width, height in SIZES]
    for seed, (file, size) in enumerate(
        zip(files, SIZES, strict=True)
    ):  # with random weights, a drawn street gets only one class
        cv2.imwrite(str(file), smooth_pixels(2 + seed, (1, *size[::-1]))[0, :, :, ::-1])
    return files


def stretched(images: list[Path], folder: Path) -> list[Path]:
    """The images as MaskFormer's own Resize makes them."""
    folder.mkdir()
    for image in images:
        cv2.imwrite(str(folder / image.name), cv2.resize(cv2.imread(str(image)), (zoo.SIDE, zoo.SIDE)))
    return [folder / image.name for image in images]


def test_an_image_that_is_too_small_for_a_network_is_told(service: Service) -> None:
    tiny = bytes(cv2.imencode(".png", np.zeros((16, 16), np.uint8))[1])
    with Client(service.grpc) as client:
        with pytest.raises(InvalidImage, match="too small for this network; pass target_size"):
            client.segment(tiny, "SegFormer-B0")
        assert client.segment(tiny, "SegFormer-B0", target_size=64).size == (16, 16)
        assert client.segment(tiny, "PP-LiteSeg-T").size == (16, 16)


def test_one_server_has_them_all(service: Service) -> None:
    with Client(service.grpc) as client:
        assert {model.name for model in client.models()} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_the_rest_answer_is_paddles(
    name: str, service: Service, repository: Path, weights: dict[str, Path], images: list[Path], tmp_path: Path
) -> None:
    shown = stretched(images, tmp_path / "stretched") if name.startswith("MaskFormer") else images
    in_export_environment("-m", "semseg_export.workers.reference", weights[name], *shown, "--out", tmp_path)
    with serving(repository, "--url", service.grpc, "--model", name) as gateway:
        for image, size in zip(images, SIZES, strict=True):
            body = {"image": encoded(image.read_bytes()), "visualize": False}
            answer = requests.post(f"{gateway['rest']}/semantic-segmentation", json=body, timeout=300).json()
            assert answer["errorCode"] == 0, answer["errorMsg"]
            expected = cv2.resize(np.load(tmp_path / f"{image.stem}.npy"), size, interpolation=cv2.INTER_NEAREST)
            found = np.array(answer["result"]["labelMap"], np.uint8).reshape(answer["result"]["size"])
            assert found.shape == expected.shape
            assert len(np.unique(expected)) >= 2
            differing = int((found != expected).sum())
            print(f"{name}, {image.stem}: {differing} of {expected.size} pixels differ")
            assert differing <= 0.001 * expected.size
