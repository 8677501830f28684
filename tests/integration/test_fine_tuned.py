"""A fine-tuned network: its own classes, names, mean and std, and a Resize that PaddleX runs before it."""

from __future__ import annotations

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
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network") / "roads"
    in_export_environment("-m", "tests.networks", folder, "--classes", str(len(NAMES)))
    return folder


@pytest.mark.parametrize("resize", RESIZES)
def test_the_served_label_map_is_what_paddle_gives_after_paddlexs_resize(
    network: Path, image: Path, resize: str, tmp_path: Path
) -> None:
    transforms = f"{resize[:-1]}, type: Resize}}, {{type: Normalize, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}"
    (network / "inference.yml").write_text(f"Deploy: {{transforms: [{transforms}]}}\n")
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    repository = bare_repository(tmp_path / "model_repository")
    export(repository, "roads", network, "--classes", tmp_path / "names.txt")

    rgb = cv2.imread(str(image))[..., ::-1]
    np.save(tmp_path / "resized.npy", cv2.resize(rgb, RESIZES[resize], interpolation=cv2.INTER_LINEAR))
    in_export_environment("-m", "semseg_export.workers.reference", network, tmp_path / "resized.npy", "--out", tmp_path / "ids")
    ids = np.load(tmp_path / "ids" / "resized.npy")
    expected = cv2.resize(ids, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    with serving(repository, "--model", "roads") as addresses, Client(addresses["grpc"]) as client:
        found = client.segment(image)
        native = client.segment(image, target_size=256)
    assert found.class_names == tuple(NAMES)
    assert len(np.unique(expected)) > 2
    assert np.mean(found.label_map == expected) >= 0.9999
    assert (native.label_map != found.label_map).any()
