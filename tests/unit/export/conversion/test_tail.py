"""A network cut in two, its core on another engine and its tail on ONNX Runtime, gives the classes of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto

from semseg_contract.engine import FILES, MNN
from semseg_export.conversion.cpu_layout import laid_out
from semseg_export.conversion.graph import served_graph
from semseg_export.conversion.mnn import write_core
from semseg_export.conversion.tail import tail_of
from semseg_export.parts import Parts
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Archive

for package in ("openvino", "MNN"):
    pytest.importorskip(package, reason=f"{package} is not installed here")


@pytest.fixture(params=FILES)
def whole_and_parts(
    network: ModelProto, archive: Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[Session, Parts]:
    served = served_graph(network, archive.normalisation).model
    cpu_model = laid_out(served)
    assert cpu_model is not None
    (tmp_path / "model.onnx").write_bytes(served.SerializeToString())
    tail = tail_of(cpu_model)
    (tmp_path / "tail.onnx").write_bytes(tail.SerializeToString())
    write_core(served, tail.metadata_props[0].value, tmp_path / "core.mnn")
    return Session(cpu_model), Parts(tmp_path, request.param, 2)


@pytest.mark.parametrize("shape", [(1, 128, 256), (1, 333, 417), (2, 96, 64), (1, 32, 32)])
def test_the_parts_give_the_classes_of_the_whole(whole_and_parts: tuple[Session, Parts], shape: tuple[int, int, int]) -> None:
    whole, parts = whole_and_parts
    pixels = smooth_pixels(0, shape)
    ids = parts.run(pixels)
    assert ids.shape == shape
    assert ids.dtype == np.uint8
    # Untrained logits often tie, and MNN rounds more, with errors of 0.002 % of their span.
    assert (ids == whole.run(pixels)).mean() >= (0.99 if parts.engine == MNN else 0.9999)


@pytest.mark.parametrize("whole_and_parts", [MNN], indirect=True)
def test_an_image_gets_the_same_logits_whatever_came_before(whole_and_parts: tuple[Session, Parts], tmp_path: Path) -> None:
    _, parts = whole_and_parts
    large, tiny = smooth_pixels(0, (1, 320, 640)), smooth_pixels(1, (1, 32, 32))
    logits = parts.core(large).copy()
    other = Parts(tmp_path, MNN, 2)
    other.core(tiny)
    np.testing.assert_array_equal(other.core(large), logits)


@pytest.mark.usefixtures("whole_and_parts")
def test_the_tail_has_none_of_the_weights(tmp_path: Path) -> None:
    assert (tmp_path / "tail.onnx").stat().st_size < 100_000
