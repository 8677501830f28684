"""A network cut in two, its core on OpenVINO and its tail on ONNX Runtime, gives the classes of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from semseg_export.conversion.cpu_layout import laid_out
from semseg_export.conversion.graph import served_graph
from semseg_export.conversion.tail import tail_of
from semseg_export.parts import Parts
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Archive

pytest.importorskip("openvino", reason="OpenVINO is not installed here")


@pytest.fixture
def whole_and_parts(network: ModelProto, archive: Archive, tmp_path: Path) -> tuple[Session, Parts]:
    served = served_graph(network, archive.normalisation).model
    cpu_model = laid_out(served)
    assert cpu_model is not None
    (tmp_path / "model.onnx").write_bytes(served.SerializeToString())
    (tmp_path / "tail.onnx").write_bytes(tail_of(cpu_model).SerializeToString())
    return Session(cpu_model), Parts(tmp_path / "model.onnx", tmp_path / "tail.onnx", 2)


@pytest.mark.parametrize("shape", [(1, 128, 256), (1, 333, 417), (2, 96, 64), (1, 32, 32)])
def test_the_parts_give_the_classes_of_the_whole(whole_and_parts: tuple[Session, Parts], shape: tuple[int, int, int]) -> None:
    whole, parts = whole_and_parts
    pixels = smooth_pixels(0, shape)
    ids = parts.run(pixels)
    assert ids.shape == shape
    assert ids.dtype == np.uint8
    assert (ids == whole.run(pixels)).mean() >= 0.9999


@pytest.mark.usefixtures("whole_and_parts")
def test_the_tail_has_none_of_the_weights(tmp_path: Path) -> None:
    assert (tmp_path / "tail.onnx").stat().st_size < 100_000
