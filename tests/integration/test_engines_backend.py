"""The engines backend on a real tritonserver: the same classes as on ONNX Runtime, which takes over where the engine cannot."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import requests
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from demo.run import serving
from demo.scenes import scene
from semseg_server.bundle import Bundle
from tests.integration.triton import tritonserver
from tests.support import DEMO, ROOT, bare_repository, encoded, export, processes_of, street

PACKAGES = {"openvino": "openvino", "mnn": "MNN"}  # precise MNN differs by one argument: tests/unit/export/checks/test_engines.py
INSTALLED = [name for name, package in PACKAGES.items() if find_spec(package)]
if not INSTALLED:
    pytest.skip("neither OpenVINO nor MNN is installed here", allow_module_level=True)
NETWORK = f"{DEMO}_network"
SHAPES = 500
GROWTH = 40e6  # bytes, over the second half of SHAPES


@pytest.fixture(params=PACKAGES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name not in INSTALLED:
        pytest.skip(f"{PACKAGES[name]} is not installed here")
    return name


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Repositories with the demo network, by its engine."""
    found = {}
    for name in INSTALLED:
        found[name] = bare_repository(tmp_path_factory.mktemp(name))
        export(found[name], DEMO, ROOT / "demo" / DEMO, f"--engine={name}")
    return found


def without_tail(entry: Path) -> None:
    (entry / "1" / "tail.onnx").unlink()


def with_broken_weights(entry: Path) -> None:
    for name in ("model.onnx", "core.mnn"):
        (entry / "1" / name).write_bytes(b"no network")


def with_unknown_engine(entry: Path) -> None:
    config = entry / "config.pbtxt"
    config.write_text(re.sub(r'(key: "engine"\s+value \{\s+string_value: )"[^"]+"', r'\1"tensorflow"', config.read_text()))


def on_onnx_runtime(entry: Path) -> None:
    rewrite(entry, 'backend: "engines"', 'backend: "onnxruntime"')


def with_a_key_of_onnx_runtime(entry: Path) -> None:
    add(entry, "execution_mode", "7")


def alone_on_its_threads(entry: Path) -> None:
    add(entry, "intra_op_thread_count", "2")  # so that no second copy of the network is made


def add(entry: Path, key: str, value: str) -> None:
    parameter = f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
    rewrite(entry, 'backend: "engines"', f'backend: "engines" {parameter}')


KINDS: dict[str, Callable[[Path], None]] = {
    "engine": lambda _: None,
    "whole": on_onnx_runtime,
    "without_tail": without_tail,
    "broken": with_broken_weights,
    "unknown": with_unknown_engine,
    "refused": with_a_key_of_onnx_runtime,
    "alone": alone_on_its_threads,
}


def rewrite(entry: Path, old: str, new: str) -> None:
    config = entry / "config.pbtxt"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def networks(exported: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo network under the name of each of KINDS and of its engine, as `whole-mnn`."""
    repository = tmp_path_factory.mktemp("networks")
    for engine, (kind, change) in product(exported, KINDS.items()):
        name = f"{kind}-{engine}"
        shutil.copytree(exported[engine] / NETWORK, repository / name)
        rewrite(repository / name, f'name: "{NETWORK}"', f'name: "{name}"')
        change(repository / name)
    return repository


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "triton.log"


@pytest.fixture(scope="module")
def address(networks: Path, log: Path) -> Iterator[str]:
    with tritonserver(networks, log, "--exit-on-error=false") as server:
        yield server.grpc


@pytest.fixture(scope="module")
def triton(address: str) -> Iterator[grpc.InferenceServerClient]:
    with grpc.InferenceServerClient(address) as client:
        yield client


def ids(triton: grpc.InferenceServerClient, model: str, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The ids of pixels [N, H, W, 3]."""
    image = grpc.InferInput("pixels", list(pixels.shape), "UINT8")
    image.set_data_from_numpy(pixels)
    lane = grpc.InferInput("lane", [len(pixels), 1], "INT8")
    lane.set_data_from_numpy(np.zeros((len(pixels), 1), np.int8))
    return triton.infer(model, [image, lane]).as_numpy("ids")  # type: ignore[no-any-return]


def pixels(width: int, height: int, seed: int = 3_000_300) -> NDArray[np.uint8]:
    return scene(seed, width, height)[0][None, :, :, ::-1].copy()


def test_the_classes_are_those_of_onnx_runtime(triton: grpc.InferenceServerClient, log: Path, engine: str) -> None:
    for width, height in ((1024, 512), (333, 217), (64, 32)):
        image = pixels(width, height)
        assert (ids(triton, f"engine-{engine}", image) == ids(triton, f"whole-{engine}", image)).mean() >= 0.9999
    two = np.concatenate([pixels(256, 128), pixels(256, 128, 3_000_301)])
    assert (ids(triton, f"engine-{engine}", two) == ids(triton, f"whole-{engine}", two)).mean() >= 0.9999
    assert f"engine-{engine}: runs on ONNX Runtime" not in log.read_text()


def test_many_at_once_each_get_their_own(triton: grpc.InferenceServerClient, engine: str) -> None:
    images = [pixels(512, 256, 3_000_300 + each) for each in range(4)]
    wanted = [ids(triton, f"engine-{engine}", image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: ids(triton, f"engine-{engine}", images[each % 4]), range(48)))
    for number, each in enumerate(found):
        assert (each == wanted[number % 4]).mean() >= 0.9999


@pytest.mark.parametrize("kind", ["without_tail", "broken"])
def test_onnx_runtime_takes_over_what_the_engine_cannot_load(
    triton: grpc.InferenceServerClient, log: Path, engine: str, kind: str
) -> None:
    image = pixels(256, 128)
    np.testing.assert_array_equal(ids(triton, f"{kind}-{engine}", image), ids(triton, f"whole-{engine}", image))
    assert f"{kind}-{engine}: runs on ONNX Runtime, because {engine} cannot run it: " in log.read_text()


@pytest.mark.parametrize(
    ("kind", "told"),
    [("unknown", "parameter engine must be openvino, mnn, mnn-precise, not 'tensorflow'"), ("refused", "execution_mode")],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    triton: grpc.InferenceServerClient, engine: str, kind: str, told: str
) -> None:
    index = triton.get_model_repository_index(as_json=True)["models"]
    assert told in next(str(entry["reason"]) for entry in index if entry["name"] == f"{kind}-{engine}")


def test_an_image_that_the_network_cannot_take_fails_alone(triton: grpc.InferenceServerClient, engine: str) -> None:
    with pytest.raises(InferenceServerException):
        ids(triton, f"engine-{engine}", np.zeros((1, 1, 1, 3), np.uint8)[:, :0])
    assert ids(triton, f"engine-{engine}", pixels(64, 32)).shape == (1, 32, 64)


def test_the_memory_stays_flat_when_every_image_has_another_size(
    triton: grpc.InferenceServerClient, address: str, engine: str
) -> None:
    sizes = np.random.default_rng(0).permutation([(width, height) for width in range(32, 160) for height in range(32, 160)])
    network = f"alone-{engine}"
    ids(triton, network, pixels(160, 160))
    [stub] = processes_of(address, network)
    taken = []
    for number, (width, height) in enumerate(sizes[:SHAPES].tolist(), 1):
        assert ids(triton, network, np.full((1, height, width, 3), number % 256, np.uint8)).shape == (1, height, width)
        if number % (SHAPES // 2) == 0:
            taken.append(stub.memory_info().rss)
    assert taken[1] - taken[0] < GROWTH


def test_a_machine_without_the_engine_serves_all_the_same(
    networks: Path, triton: grpc.InferenceServerClient, tmp_path: Path
) -> None:
    some, backends = tmp_path / "some", tmp_path / "backends"
    shutil.copytree(Bundle.find().backends(), backends)  # as into an image of NVIDIA's
    code = backends / "engines" / "engine.py"
    for name in INSTALLED:
        shutil.copytree(networks / f"engine-{name}", some / f"engine-{name}")
        code.write_text(code.read_text().replace(f"import {PACKAGES[name]}\n", "import a_package_that_is_not_installed\n"))
    image = pixels(256, 128)
    flag = f"--backend-directory={backends}"
    with tritonserver(some, tmp_path / "log", flag) as server, grpc.InferenceServerClient(server.grpc) as client:
        for name in INSTALLED:
            np.testing.assert_array_equal(ids(client, f"engine-{name}", image), ids(triton, f"whole-{name}", image))
    for name in INSTALLED:
        told = f"engine-{name}: runs on ONNX Runtime, because {name} cannot run it: No module named 'a_package_that_is_not"
        assert told in (tmp_path / "log").read_text()


def test_a_killed_network_comes_back(exported: dict[str, Path]) -> None:
    engine = INSTALLED[-1]
    body = {"image": encoded(street(256, 128))}
    with serving(exported[engine], "--model", DEMO) as addresses:

        def label_map() -> list[int]:
            answer = requests.post(f"{addresses['rest']}/semantic-segmentation", json=body, timeout=60)
            assert answer.status_code == 200, answer.text
            return list(answer.json()["result"]["labelMap"])

        expected = label_map()
        [stub] = processes_of(addresses["grpc"], NETWORK)
        stub.kill()
        assert label_map() == expected
        [after] = processes_of(addresses["grpc"], NETWORK)
        assert after.pid != stub.pid
