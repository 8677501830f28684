"""Compares our REST service with PaddleX 3.7.2's own, `paddlex --serve`, on the same weights: field by field, for valid and
invalid requests.

They may differ only for the requests and in the ways that docs/contract.md lists.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import requests
from PIL import Image

from demo.run import serving
from tests.paddlex.paddlex_service import paddlex_service
from tests.support import DEMO, DEMO_WEIGHTS, ROOT, STREET, bare_repository, encoded, export

NETWORK = "PP-LiteSeg-T"  # PaddleX accepts only its own names; the demo network has this architecture
JPEG_LOSS = 3.0  # levels of 256, on average: both draw the same colours, but with different JPEG encoders

# All sides, before and after scaling, are multiples of 128: otherwise oneDNN's pooling differs from Paddle's (see the README).
STREET_BGR = cv2.imread(str(STREET))
SMALL = cv2.resize(STREET_BGR, (256, 128))


def image(suffix: str, pixels: npt.NDArray[Any] = SMALL) -> str:
    return encoded(cv2.imencode(suffix, pixels)[1].tobytes())


def text(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


JPEG = STREET.read_bytes()
PNG = image(".png")
REQUESTS: dict[str, bytes] = {
    "a JPEG": text(image=encoded(JPEG)),
    "a PNG": text(image=PNG),
    "a grey PNG": text(image=image(".png", cv2.cvtColor(SMALL, cv2.COLOR_BGR2GRAY))),
    "a PNG with an alpha channel": text(image=image(".png", cv2.cvtColor(SMALL, cv2.COLOR_BGR2BGRA))),
    "a PNG of 16 bits": text(image=image(".png", SMALL.astype(np.uint16) * 257)),
    "a BMP": text(image=image(".bmp")),
    "a WebP": text(image=image(".webp")),
    "a TIFF": text(image=image(".tiff")),
    "visualize: true": text(image=PNG, visualize=True),
    "visualize: false": text(image=PNG, visualize=False),
    "visualize: null": text(image=PNG, visualize=None),
    'visualize: "no"': text(image=PNG, visualize="no"),
    "targetSize: 256": text(image=encoded(JPEG), targetSize=256),
    "targetSize: [512, 256]": text(image=encoded(JPEG), targetSize=[512, 256]),
    "targetSize: null": text(image=PNG, targetSize=None),
    "targetSize: 256.0": text(image=PNG, targetSize=256.0),
    'targetSize: "256"': text(image=PNG, targetSize="256"),
    "targetSize: 0": text(image=PNG, targetSize=0),
    "targetSize: -5": text(image=PNG, targetSize=-5),
    'targetSize: "big"': text(image=PNG, targetSize="big"),
    "targetSize: [1, 2, 3]": text(image=PNG, targetSize=[1, 2, 3]),
    "an unknown field": text(image=PNG, colour="red"),
    "Base64 in lines": text(image="\n".join(re.findall(".{1,76}", PNG))),
    "Base64 with a foreign character": text(image=f"{PNG[:8]}*{PNG[8:]}"),
    "Base64 of the URL alphabet": text(image=base64.urlsafe_b64encode(base64.b64decode(PNG)).decode()),
    "no Base64": text(image="!!!!"),
    "a data: URL": text(image=f"data:image/png;base64,{PNG}"),
    "a URL that nobody answers": text(image="http://127.0.0.1:1/street.jpg"),
    "an empty image": text(image=""),
    "a text file": text(image=encoded(b"hello")),
    "half a JPEG": text(image=encoded(JPEG[: len(JPEG) // 2])),
    "no image": b"{}",
    "image: 7": text(image=7),
    "image: null": text(image=None),
    "image: 7, with a logId": text(image=7, logId="mine"),
    "a logId": text(image=PNG, logId="mine"),
    "no JSON": b"image=x",
    "an empty body": b"",
    "a list": b"[]",
    "a string": b'"x"',
}


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def told(self) -> str:
        """The answer as written in the contract's table: the status, and "logId" if it is the caller's."""
        return f"{self.status}, logId" if self.body["logId"] == "mine" else str(self.status)


@dataclass(frozen=True)
class Services:
    paddlex: str
    ours: str

    def answers(self, body: bytes) -> tuple[Answer, Answer]:
        paddlexs, ours = (_post(url, body) for url in (self.paddlex, self.ours))
        return paddlexs, ours


def _post(url: str, body: bytes) -> Answer:
    response = requests.post(f"{url}/semantic-segmentation", data=body, headers={"Content-Type": "application/json"}, timeout=60)
    return Answer(response.status_code, response.json())


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("conformance")
    weights = folder / "weights"
    shutil.copytree(DEMO_WEIGHTS, weights)
    description = weights / "inference.yml"
    description.write_text(description.read_text().replace(DEMO, NETWORK))
    repository = bare_repository(folder / "model_repository")
    export(repository, DEMO, DEMO_WEIGHTS)
    with paddlex_service(weights, NETWORK, folder) as paddlex, serving(repository, f"--model={DEMO}") as addresses:
        yield Services(paddlex, addresses["rest"])


def differences() -> dict[str, tuple[str, str]]:
    """The contract's table: PaddleX's answer and ours for each request."""
    section = (ROOT / "docs" / "contract.md").read_text().partition("### Where it differs from PaddleX's\n")[2]
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \| .* \|$", section, re.MULTILINE)[1:]
    return {request.replace("`", ""): (paddlexs, ours) for request, paddlexs, ours in rows}


DIFFERENCES = differences()


def test_every_difference_that_the_contract_tells_of_is_one_of_the_requests() -> None:
    assert set(DIFFERENCES) - set(REQUESTS) == set()


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_answers_are_alike(services: Services, request_: str) -> None:
    paddlexs, ours = services.answers(REQUESTS[request_])
    assert set(ours.body) == (set(paddlexs.body) if paddlexs.status == ours.status else set(ours.body))
    if request_ in DIFFERENCES:
        assert (paddlexs.told, ours.told) == DIFFERENCES[request_]
        assert paddlexs.told != ours.told or paddlexs.body["errorMsg"] != ours.body["errorMsg"]
        return
    assert (paddlexs.told, paddlexs.body["errorCode"]) == (ours.told, ours.body["errorCode"])
    if paddlexs.status != 200:
        assert _problems(paddlexs) == _problems(ours)
        return
    assert (paddlexs.body["errorMsg"], set(paddlexs.body["result"])) == (ours.body["errorMsg"], set(ours.body["result"]))
    assert paddlexs.body["result"]["size"] == ours.body["result"]["size"]
    assert paddlexs.body["result"]["labelMap"] == ours.body["result"]["labelMap"]
    if "image" in paddlexs.body["result"]:
        theirs, drawn = _picture(paddlexs), _picture(ours)
        assert theirs.shape == drawn.shape
        assert np.abs(theirs - drawn).mean() <= JPEG_LOSS


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("POST", "/health"), ("GET", "/semantic-segmentation"), ("GET", "/nothing")]
)
def test_so_are_those_of_other_paths(services: Services, method: str, path: str) -> None:
    paddlexs, ours = (requests.request(method, url + path, timeout=30) for url in (services.paddlex, services.ours))
    assert paddlexs.status_code == ours.status_code
    assert {**paddlexs.json(), "logId": ""} == {**ours.json(), "logId": ""}


def _problems(answer: Answer) -> list[tuple[str, str]]:
    """What is wrong, and where; the wording may differ."""
    return [(problem["type"], problem["loc"]) for problem in json.loads(answer.body["errorMsg"])]


def _picture(answer: Answer) -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.body["result"]["image"]))).convert("RGB"), np.int64)
