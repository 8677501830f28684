"""The model `preprocess` itself, with a stub in the place of Triton's utilities."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fuzz.seeds import pillow

ROOT = Path(__file__).parents[3]
WIDE = Image.new("RGB", (60, 40))
ANGLES = {1: 0, 3: 180, 6: 90, 8: 270}  # by EXIF's orientation, in which a picture is stored


@dataclass
class Tensor:
    name: str
    values: Any

    def as_numpy(self) -> Any:
        return self.values


class TritonError(Exception):
    INVALID_ARG, UNAVAILABLE = 3, 14


@dataclass
class Response:
    tensors: list[Tensor] | None = None
    error: TritonError | None = None


@dataclass
class Request:
    images: list[bytes]

    def parameters(self) -> str:
        return "{}"

    def requested_output_names(self) -> list[str]:
        return ["pixels_1mp"]


Answer = Callable[..., Any]  # an error's message, or the shape of the pixels


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Answers images with the shape of their pixels or the error, for a network whose own step is Padding to this size."""
    utilities: Any = ModuleType("triton_python_backend_utils")
    utilities.InferenceRequest, utilities.InferenceResponse = Request, Response
    utilities.Tensor, utilities.TritonError = Tensor, TritonError
    utilities.get_input_tensor_by_name = lambda request, _: Tensor("image", np.array(request.images, object))
    monkeypatch.setitem(sys.modules, utilities.__name__, utilities)
    monkeypatch.syspath_prepend(str(ROOT / "model_repository/preprocess/1"))  # as Triton does
    monkeypatch.delitem(sys.modules, "model", raising=False)
    preprocess, transforms = import_module("model"), import_module("transforms")

    def answered(padding: tuple[int, int], *images: bytes) -> Any:
        preparation = transforms.Preparation((transforms.Padding(padding),)).write()
        model = preprocess.TritonPythonModel()
        model.initialize({"model_config": json.dumps({"parameters": {"preparation": {"string_value": preparation}}})})
        response = model.answer(Request([*images]))
        return response.error.args[0] if response.error else response.tensors[0].values.shape

    return answered


def photo(turn: int, shown: Image.Image = WIDE) -> bytes:
    """A JPEG that is shown as `shown`, and stored so that EXIF has to turn it."""
    exif = Image.Exif()
    exif[0x0112] = turn
    return pillow(shown.rotate(ANGLES[turn], expand=True), "JPEG", exif=exif)


@pytest.mark.parametrize("turn", ANGLES)
def test_the_size_that_a_photo_is_shown_at_decides(turn: int, answer: Answer) -> None:
    assert answer((60, 40), photo(turn)) == (1, 40, 60, 3)
    assert answer((40, 60), photo(turn)).startswith("image: 60x40 is larger than 40x60, the size that this model's Padding makes")


def test_a_photo_that_is_too_large_either_way_is_not_decoded(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("model"), "decode", None)
    assert answer((50, 30), photo(6)).startswith("image: 40x60 is larger than 50x30")


def test_photos_that_are_shown_at_two_sizes_are_refused(answer: Answer) -> None:
    assert answer((60, 60), photo(1), photo(6)) == (2, 60, 60, 3)
    assert answer((60, 60), photo(1), photo(1, WIDE.rotate(90, expand=True))).startswith(
        "image: all images of a request must have"
    )
