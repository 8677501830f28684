"""Images and tensors meant to crash the service. Each is refused quickly, in little memory, with a reason; nothing dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from PIL import Image
from tritonclient.utils import InferenceServerException

from tests.fuzz import seeds
from tests.fuzz.run import REGRESSIONS
from tests.fuzz.seeds import pillow, png, png_chunk
from tests.support import DEMO, STREET, Service, processes_of

EDGE = 13_377  # pixels: 178.9 megapixels
SMALL = seeds.encoded(".png", seeds.scene())
BOMBS = {
    "png of 177 megapixels": png(EDGE, EDGE, 1, 0),
    "png of 300 megapixels": png(20_000, 15_000, 1, 0),
    "group 4 tiff of 177 megapixels": pillow(Image.new("1", (EDGE, EDGE), 1), "TIFF", compression="group4"),
    "png chunk of 4 GB": SMALL.replace(SMALL[33:41], b"\xff\xff\x7f\x01IDAT"),
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(2300),
    "text": b"@image.jpg",
    **{file.name: file.read_bytes() for file in sorted(REGRESSIONS.iterdir())},
}


@pytest.fixture(scope="module")
def triton(service: Service) -> Iterator[grpc.InferenceServerClient]:
    with grpc.InferenceServerClient(service.grpc) as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_dies_or_grows(service: Service) -> Iterator[None]:
    processes = [each for entry in ("preprocess", "postprocess", "draw") for each in processes_of(service.grpc, entry)]
    before = [peak(each) for each in processes]
    assert len(before) >= 3
    yield
    grown = [peak(each) - was for each, was in zip(processes, before, strict=True)]
    assert max(grown) < 100e6, grown
    answer = requests.post(f"{service.rest}/semantic-segmentation", data=STREET.read_bytes(), headers=PNG, timeout=60)
    assert answer.status_code == 200


PNG = {"Content-Type": "image/png"}


def peak(process: psutil.Process) -> int:
    """The process's peak memory in bytes."""
    return int(Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("kind", BOMBS)
def test_a_hostile_image_is_422(service: Service, kind: str) -> None:
    answer = requests.post(f"{service.rest}/semantic-segmentation", data=BOMBS[kind], headers=PNG, timeout=60)
    assert answer.status_code == 422, answer.text[:300]
    [error] = json.loads(answer.json()["errorMsg"])
    assert error["loc"] == "body"


@pytest.mark.parametrize("kind", BOMBS)
def test_preprocess_looks_for_itself(triton: grpc.InferenceServerClient, kind: str) -> None:
    image = tensor("image", np.array([[BOMBS[kind]]], np.object_))
    with pytest.raises(InferenceServerException, match=r"image: ") as refused:
        triton.infer(DEMO, [image])
    assert "INVALID_ARGUMENT" in str(refused.value.status())


def tensor(name: str, values: NDArray[np.generic]) -> grpc.InferInput:
    kinds = {"uint8": "UINT8", "int32": "INT32", "object": "BYTES"}
    given = grpc.InferInput(name, list(values.shape), kinds[values.dtype.name])
    given.set_data_from_numpy(values)
    return given


IDS = np.zeros((1, 4, 4), np.uint8)
TENSORS = {
    "a negative size": (IDS, [[-1, 4]]),
    "no size": (IDS, [[0, 0]]),
    "no sides": (IDS, np.zeros((1, 0), np.int32)),
    "three sides": (IDS, [[4, 4, 4]]),
    "many sides": (IDS, [[4, 4] * 33]),
    "a cut that is larger than the ids": (IDS, [[-4, -5]]),
    "a cut that is larger than the size before it": (IDS, [[2, 2, -3, -2]]),
    "a gigapixel": (IDS, [[2**15, 2**15]]),
    "sizes whose product is beyond 64 bits": (IDS, [[2**31 - 1, 2**31 - 1]]),
    "a long side": (IDS, [[1, 2**31 - 1]]),
    "no ids": (np.zeros((1, 0, 4), np.uint8), [[4, 4]]),
    "ids without a side": (np.zeros((1, 4, 0), np.uint8), [[4, 4]]),
    "two sizes": (np.zeros((2, 4, 4), np.uint8), [[4, 4], [8, 8]]),
    "many large ones": (np.zeros((8, 4, 4), np.uint8), [[6000, 6000]] * 8),
}


@pytest.mark.parametrize("model", ["postprocess", "draw"])
@pytest.mark.parametrize("kind", TENSORS)
def test_wrong_tensors_are_the_callers_error(triton: grpc.InferenceServerClient, model: str, kind: str) -> None:
    ids, sizes = TENSORS[kind]
    with pytest.raises(InferenceServerException, match=r"ids: |source_size: ") as refused:
        triton.infer(model, [tensor("ids", ids), tensor("source_size", np.array(sizes, np.int32))])
    assert "INVALID_ARGUMENT" in str(refused.value.status())


def test_eight_bombs_in_a_request_are_refused(triton: grpc.InferenceServerClient) -> None:
    images = tensor("image", np.array([[png(9000, 9000, 1, 0)]] * 8, np.object_))
    with pytest.raises(InferenceServerException, match=r"image: 8 images of 9000x9000 have more than 178956970 pixels"):
        triton.infer(DEMO, [images], parameters={"target_size": 512})


@pytest.mark.parametrize("image", [b"", b"\0", b"P6", png_chunk(b"IHDR", b"")])
def test_rubbish_is_the_callers_error(triton: grpc.InferenceServerClient, image: bytes) -> None:
    with pytest.raises(InferenceServerException, match=r"image: "):
        triton.infer(DEMO, [tensor("image", np.array([[image]], np.object_))])
