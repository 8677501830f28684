"""A fine-tuned network: its own classes, names, mean and std, and a Resize that PaddleX runs before it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.run import serving
from demo.scenes import scene
from semseg_client import Client
from tests.support import bare_repository, export, in_export_environment

NAMES = ["lane", "kerb", "grass", "gravel", "other"]
# The network's input size for a 1001x667 image, as PaddleX 3.7.2 computes it.
RESIZES = {"{target_size: [512, 512]}": (512, 352), "{target_size: [512, 256], keep_ratio: false}": (512, 256)}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("image") / "street.png"
    cv2.imwrite(str(file), scene(3_000_200, 1001, 667)[0])
    return file


@pytest.fixture(scope="module")
def networks(weights: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of weights by their Resize; the folder's name is the model's."""
    folders = {}
    for number, resize in enumerate(RESIZES):
        folders[resize] = folder = tmp_path_factory.mktemp("networks") / f"roads-{number}"
        shutil.copytree(weights["roads"], folder)
        transforms = (
            f"{resize[:-1]}, type: Resize}}, {{type: Normalize, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}"
        )
        (folder / "inference.yml").write_text(f"Deploy: {{transforms: [{transforms}]}}\n")
    return folders


@pytest.fixture(scope="module")
def client(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    names = tmp_path_factory.mktemp("names") / "names.txt"
    names.write_text("\n".join(NAMES))
    repository = bare_repository(tmp_path_factory.mktemp("fine_tuned") / "model_repository")
    for folder in networks.values():
        export(repository, folder.name, folder, "--classes", names)
    models = (f"--model={folder.name}" for folder in networks.values())
    with serving(repository, *models) as addresses, Client(addresses["grpc"]) as client:
        yield client


@pytest.mark.parametrize("resize", RESIZES)
def test_the_served_label_map_is_what_paddle_gives_after_paddlexs_resize(
    networks: dict[str, Path], client: Client, image: Path, resize: str, tmp_path: Path
) -> None:
    network = networks[resize]
    rgb = cv2.imread(str(image))[..., ::-1]
    np.save(tmp_path / "resized.npy", cv2.resize(rgb, RESIZES[resize], interpolation=cv2.INTER_LINEAR))
    in_export_environment("-m", "semseg_export.workers.reference", network, tmp_path / "resized.npy", "--out", tmp_path / "ids")
    ids = np.load(tmp_path / "ids" / "resized.npy")
    expected = cv2.resize(ids, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    found = client.segment(image, network.name)
    native = client.segment(image, network.name, target_size=256)
    assert found.class_names == tuple(NAMES)
    assert len(np.unique(expected)) > 2
    assert np.mean(found.label_map == expected) >= 0.9999
    assert (native.label_map != found.label_map).any()
