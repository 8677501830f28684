"""Networks with preparations of their own, served: PaddleX's Resize, one size only, multiples, PaddleSeg's transforms."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import requests

from demo.run import serving
from semseg_client import Client, InvalidRequest
from semseg_contract.config_pbtxt import read
from semseg_contract.record import ModelRecord
from semseg_contract.transforms import Preparation
from tests.support import ROOT, Service, bare_repository, encoded, export, in_export_environment, street

CLASSES = ["lane", "kerb", "grass", "gravel", "other"]
# The network's input size for a 1001x667 image, as PaddleX 3.7.2 computes it.
RESIZED = {"ratio": (512, 352), "stretched": (512, 256)}
NAMES = ("sigmoid1", "fixed", "strict", "padded", *RESIZED)
SIZES = ((97, 65), (129, 251), (640, 333))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the networks, and model_repository with their exports."""
    folder = tmp_path_factory.mktemp("preparations")
    in_export_environment("-m", "tests.exports", folder, *NAMES)
    repository = bare_repository(folder / "model_repository")
    for name in RESIZED:
        (folder / name / "classes.txt").write_text("\n".join(CLASSES))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: export(repository, name, folder / name), NAMES))
    return folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Service]:
    with serving(folder / "model_repository", *(f"--model={name}" for name in NAMES)) as addresses:
        yield Service(**addresses)


@pytest.fixture(scope="module")
def client(served: Service) -> Iterator[Client]:
    with Client(served.grpc) as client:
        yield client


def expected(folder: Path, name: str, preparation: Preparation, work: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Paddle's ids for the street at each of SIZES, led back to it."""
    sys.path.insert(0, str(ROOT / "model_repository/preprocess/1"))
    prepared = import_module("prepare").prepared
    files = []
    for width, height in SIZES:
        rgb = cv2.imdecode(np.frombuffer(street(width, height), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        files.append(work / f"{width}x{height}.npy")
        np.save(files[-1], prepared(preparation, np.ascontiguousarray(rgb)))
    threshold = ("--threshold", "0.5") if name == "sigmoid1" else ()
    in_export_environment("-m", "semseg_export.workers.reference", folder / name, *files, "--out", work / "ids", *threshold)
    for file, (width, height) in zip(files, SIZES, strict=True):
        ids = np.load(work / "ids" / file.name)
        for rows, columns in np.reshape(preparation.way_back(width, height), (-1, 2)).tolist():
            ids = ids[:-rows, :-columns] if rows < 0 else cv2.resize(ids, (columns, rows), interpolation=cv2.INTER_NEAREST)
        yield ids


@pytest.mark.parametrize("name", NAMES)
def test_the_label_map_is_paddles_at_the_images_own_size(folder: Path, client: Client, name: str, tmp_path: Path) -> None:
    record = ModelRecord.read(read(folder / "model_repository" / name / "config.pbtxt"))
    maps = expected(folder, name, record.preparation or Preparation(), tmp_path)
    for (width, height), wanted in zip(SIZES, maps, strict=True):
        found = client.segment(street(width, height), name)
        assert found.label_map.shape == (height, width)
        assert np.mean(found.label_map == wanted) >= 0.9999
        assert found.picture is not None
        drawn = cv2.imdecode(np.frombuffer(found.picture, np.uint8), cv2.IMREAD_COLOR)
        assert drawn.shape[:2] == (height, width)
    assert len(np.unique(wanted)) >= 2


@pytest.mark.parametrize("name", RESIZED)
def test_the_label_map_is_what_paddle_gives_after_paddlexs_resize(
    folder: Path, client: Client, name: str, tmp_path: Path
) -> None:
    image = street(1001, 667)
    rgb = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.save(tmp_path / "resized.npy", cv2.resize(rgb, RESIZED[name], interpolation=cv2.INTER_LINEAR))
    in_export_environment(
        "-m", "semseg_export.workers.reference", folder / name, tmp_path / "resized.npy", "--out", tmp_path / "ids"
    )
    ids = np.load(tmp_path / "ids" / "resized.npy")
    wanted = cv2.resize(ids, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    found = client.segment(image, name)
    assert found.class_names == tuple(CLASSES)
    assert len(np.unique(wanted)) > 2
    assert np.mean(found.label_map == wanted) >= 0.9999
    assert (client.segment(image, name, target_size=256).label_map != found.label_map).any()


def test_a_request_cannot_change_the_only_size_that_a_network_takes(served: Service) -> None:
    body = {"image": encoded(street(97, 65)), "model": "fixed", "targetSize": 256}
    answer = requests.post(f"{served.rest}/semantic-segmentation", json=body, timeout=60)
    assert answer.status_code == 422
    assert "this model scales every image to 192x128, the only size it takes; leave it out" in answer.json()["errorMsg"]
    assert "body.targetSize" in answer.json()["errorMsg"]


def test_an_image_that_its_padding_cannot_hold_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="262x350 is larger than 384x256, the size that this model's Padding makes"):
        client.segment(street(480, 640), "padded")
    assert client.segment(street(480, 640), "padded", target_size=128).label_map.shape == (640, 480)


def test_a_target_size_is_padded_to_the_multiples_that_a_network_needs(client: Client) -> None:
    assert client.segment(street(97, 65), "strict", target_size=64).label_map.shape == (65, 97)
