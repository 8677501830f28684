"""A served network, fine-tuned for five classes of its own, gives the same maps as PaddleX 3.7.2 from the same files.

`make test-paddlex` prints how many pixels differ.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from demo.run import serving
from demo.scenes import HELD_OUT, scene
from semseg_client import Client
from semseg_contract.transforms import Resize
from tests.paddlex.task import CLASSES, DESCRIPTION, NETWORK, merged
from tests.support import ROOT, bare_repository, export, in_environment, in_export_environment

PADDLEX_PYTHON = Path(os.environ.get("SEMSEG_PADDLEX_PYTHON", Path(sys.prefix, "paddlex", "bin", "python")))
# Width and height: smaller and larger than the Resize's target, upright and wide, and one that the Resize leaves unchanged.
SIZES = {
    "whole.png": (512, 256),
    "tiny.png": (97, 65),
    "upright.png": (417, 733),
    "odd.png": (1001, 667),
    "square.jpg": (700, 700),
    "wide.jpg": (1023, 389),
    "large.jpg": (1919, 1081),
}
RESIZES = {
    "roads": DESCRIPTION,
    "stretched-roads": DESCRIPTION.replace("type: Resize", "type: Resize\n    keep_ratio: false"),
}
# ONNX Runtime, oneDNN and plain Paddle sum in different orders: logits from -10 to 10 come out up to 7e-6 apart. Where the
# two highest are closer than twice that, either may win.
TIE = 2e-5
MOST_TIES = 1e-5  # of the pixels
MOST_BY_DEFAULT = 0.02  # of the pixels, where oneDNN's pooling differs from Paddle's


@dataclass(frozen=True)
class Request:
    image: str
    target_size: int | tuple[int, int] | None = None

    def __str__(self) -> str:
        """The request as tests/paddlex/oracle.py reads it."""
        size = self.target_size
        return self.image if size is None else f"{self.image}@{size if isinstance(size, int) else f'{size[0]},{size[1]}'}"


REQUESTS = [*map(Request, SIZES), Request("odd.png", 256), Request("odd.png", (384, 640)), Request("wide.jpg", (1000, 480))]


@dataclass(frozen=True)
class Difference:
    """One served map against PaddleX's: `differing` counts all pixels that differ, `untied` those that are no ties in PaddleX."""

    request: Request
    pixels: int
    differing: int
    untied: int

    def __str__(self) -> str:
        return f"{self.request}: {self.differing} of {self.pixels} differ, {self.untied} of them are not ties"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for seed, (name, size) in zip(HELD_OUT, SIZES.items(), strict=False):
        cv2.imwrite(str(folder / name), scene(seed, *size)[0])
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Trained only once: the second network differs only in its Resize."""
    folder = tmp_path_factory.mktemp("networks")
    first, *others = (folder / name for name in RESIZES)
    in_export_environment("-m", "tests.paddlex.training", first)
    for other in others:
        shutil.copytree(first, other)
        for description in other.rglob("inference.yml"):
            description.write_text(RESIZES[other.name])
    return {name: folder / name for name in RESIZES}


@pytest.fixture(scope="module")
def client(networks: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("serving")
    names, repository = folder / "names.txt", bare_repository(folder / "model_repository")
    names.write_text("\n".join(CLASSES))
    for name, network in networks.items():
        export(repository, name, network / "model.pdparams", "--architecture", NETWORK, "--classes", names)
    with serving(repository, *(f"--model={name}" for name in networks)) as addresses, Client(addresses["grpc"]) as client:
        yield client


def paddlexs_answers(archive: Path, run_mode: str, images: Path, out: Path) -> list[npt.NDArray[Any]]:
    requests = [images / str(request) for request in REQUESTS]
    in_environment(PADDLEX_PYTHON, ROOT / "tests" / "paddlex" / "oracle.py", archive, run_mode, out, *requests)
    return [np.load(out / f"{request.name}.npy") for request in requests]


def differences(name: str, run_mode: str, networks: dict[str, Path], client: Client, images: Path, out: Path) -> list[Difference]:
    """One per request, in the order of REQUESTS."""
    maps = paddlexs_answers(networks[name] / "inference", run_mode, images, out / "maps")
    margins = paddlexs_answers(networks[name] / "margins", run_mode, images, out / "margins")
    found = []
    for request, expected, margin in zip(REQUESTS, maps, margins, strict=True):
        served = client.segment(images / request.image, name, target_size=request.target_size, picture=False).label_map
        assert served.shape == expected.shape
        assert len(np.unique(expected)) >= 4
        differing = served != expected
        found.append(Difference(request, served.size, np.count_nonzero(differing), np.count_nonzero(differing & (margin > TIE))))
    print(f"\n{name}, against PaddleX's run mode {run_mode}", *found, sep="\n  ")
    return found


def onednn_pools_alike(name: str, request: Request) -> bool:
    """Whether oneDNN gives PP-LiteSeg's 4 x 4 pool the windows that Paddle defines, at the size that the network sees.

    In Paddle 3.2.2 it uses windows of n - 3 (n // 4) of n rows: 5 of 11, where Paddle itself uses 3 or 4.
    """
    size = request.target_size or 512
    resize = Resize((size, size) if isinstance(size, int) else size, keep_ratio=name == "roads")
    columns, rows = (side // 32 for side in resize.size(*SIZES[request.image]))
    return bool(rows % 4 < 2 and columns % 4 < 2)


def test_the_network_has_learnt_its_classes(client: Client, images: Path) -> None:
    right, total = 0, 0
    for seed, (name, size) in zip(HELD_OUT, SIZES.items(), strict=False):
        found = client.segment(images / name, "roads", picture=False)
        assert found.class_names == CLASSES
        right += np.count_nonzero(found.label_map == merged(scene(seed, *size)[1]))
        total += found.label_map.size
    print(f"\n{right / total:.1%} of the pixels in held-out scenes get the right class")
    assert right >= 0.75 * total


@pytest.mark.parametrize("name", RESIZES)
def test_the_served_map_is_paddlexs_to_the_pixel(
    name: str, networks: dict[str, Path], client: Client, images: Path, tmp_path: Path
) -> None:
    found = differences(name, "paddle", networks, client, images, tmp_path)
    assert [str(difference) for difference in found if difference.untied] == []
    assert all(difference.differing <= MOST_TIES * difference.pixels for difference in found)


@pytest.mark.parametrize("name", RESIZES)
def test_by_default_paddlexs_map_is_the_same_where_onednn_pools_as_paddle_does(
    name: str, networks: dict[str, Path], client: Client, images: Path, tmp_path: Path
) -> None:
    found = differences(name, "default", networks, client, images, tmp_path)
    alike = [difference for difference in found if onednn_pools_alike(name, difference.request)]
    assert len(alike) >= 3
    assert [str(difference) for difference in alike if difference.untied] == []
    assert all(difference.differing <= MOST_BY_DEFAULT * difference.pixels for difference in found)
