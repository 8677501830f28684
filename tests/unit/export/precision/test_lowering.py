from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import ModelProto, TensorProto, checker, numpy_helper

from semseg_contract.transforms import PLAIN, Preparation, Resize
from semseg_export.checks import parity
from semseg_export.conversion import convert
from semseg_export.conversion.graph import served_graph
from semseg_export.errors import DisagreementError, ImagesError
from semseg_export.images import for_calibration, preparing
from semseg_export.precision import fidelity, lowering
from semseg_export.precision.int8 import quantised
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Normalisation, read_archive
from tests.support import DEMO_WEIGHTS, ROOT
from tests.unit.export.silent import Silent

IMAGES = ROOT / "demo" / "images"
AS_THEY_ARE = preparing(PLAIN, ROOT, 16)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    archive = read_archive(DEMO_WEIGHTS)
    return served_graph(convert.to_onnx(archive, tmp_path_factory.mktemp("demo")), archive.normalisation).model


def types(model: ModelProto) -> Callable[[str], int]:
    """The ONNX type of each tensor, by the tensor's name."""
    inferred = onnx.shape_inference.infer_shapes(model)
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}.__getitem__


def test_quantised_the_demo_network_sees_nearly_the_same(demo: ModelProto, tmp_path: Path) -> None:
    lowered = lowering.to_int8(demo, for_calibration(IMAGES), AS_THEY_ARE, tmp_path, Silent())
    assert lowered.calibration == {"folder": "images", "images": 3}
    assert lowered.fidelity.images == 1
    assert 0.985 < lowered.fidelity.equal < 1
    assert 0.9 < lowered.fidelity.miou < 1
    fidelity.require(lowered.fidelity, "int8")
    assert len(lowered.model.SerializeToString()) < 0.5 * len(demo.SerializeToString())
    assert (lowered.model.ir_version, lowered.model.opset_import[0].version) == (demo.ir_version, 17)
    assert lowered.cpu_model is not None
    pixels = smooth_pixels(0, (2, 97, 65))
    assert np.array_equal(Session(lowered.model).run(pixels), Session(lowered.cpu_model).run(pixels))


def test_pixels_are_quantised_as_they_are_where_the_channels_are_normalised_alike(demo: ModelProto, tmp_path: Path) -> None:
    images = list(for_calibration(IMAGES)[0].read(AS_THEY_ARE))
    steps = {"prepare/floats", "prepare/scaled", "prepare/shifted"}
    alike = quantised(demo, images, tmp_path)
    assert not steps & {node.name for node in alike.graph.node}
    checker.check_model(alike, full_check=True)
    uneven = ModelProto()
    uneven.CopyFrom(demo)
    alpha = next(tensor for tensor in uneven.graph.initializer if tensor.name == "prepare/alpha")
    alpha.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(alpha) * np.float32([[[1]], [[1.1]], [[1]]]), alpha.name))
    normalised = quantised(uneven, images, tmp_path)
    assert steps < {node.name for node in normalised.graph.node}
    for fp32, int8 in ((demo, alike), (uneven, normalised)):
        assert (Session(fp32).run(images[0]) == Session(int8).run(images[0])).mean() > 0.985


def small(normalisation: Normalisation, first: str) -> ModelProto:
    """A served graph with the operator `first` before a convolution."""
    network = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["": 17]>
        network (float[n, 3, h, w] x) => (float[n, 4, h, w] logits) {{
            begun = {first} (x)
            logits = Conv (begun, weight)
        }}""")
    weight = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    network.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    return served_graph(network, normalisation).model


@pytest.mark.parametrize(
    ("alpha", "beta", "first", "on_the_grid"),
    [
        (1 / 127.5, -1, "Identity", True),
        (1 / 255, 0, "Identity", True),  # no addition
        (1, -128, "Identity", True),  # no multiplication
        (1, 0, "Identity", True),
        (-1, 255, "Identity", False),
        (1, 1, "Identity", False),
        (1 / 127.5, -1, "AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]>", False),  # the network begins in fp32
    ],
)
def test_networks_begin_on_the_grid_of_their_pixels_or_not(
    tmp_path: Path, alpha: float, beta: float, first: str, on_the_grid: bool
) -> None:
    served = small(Normalisation((alpha,) * 3, (beta,) * 3), first)
    images = [smooth_pixels(seed, (1, 64, 96)) for seed in range(3)]
    int8 = quantised(served, images, tmp_path)
    checker.check_model(int8, full_check=True)
    assert on_the_grid == ("prepare/floats" not in {node.name for node in int8.graph.node})
    read = {name for node in int8.graph.node for name in node.input}
    assert {tensor.name for tensor in int8.graph.initializer} <= read or not on_the_grid
    assert (Session(served).run(images[0]) == Session(int8).run(images[0])).mean() > 0.94


def test_in_half_precision_normalisation_and_argmax_stay_in_fp32(demo: ModelProto) -> None:
    lowered = lowering.to_half(demo, parity.SHAPES)
    checker.check_model(lowered.model, full_check=True)
    assert (lowered.cpu_model, lowered.calibration) == (None, None)
    assert 0.995 < lowered.fidelity.equal < 1
    weights = {tensor.data_type for tensor in lowered.model.graph.initializer if len(tensor.dims) == 4}
    assert weights == {TensorProto.FLOAT16}
    type_of = types(lowered.model)
    nodes = {node.name: node for node in lowered.model.graph.node}
    assert type_of(nodes["decide/class"].input[0]) == TensorProto.FLOAT
    assert all(type_of(nodes[f"prepare/{name}"].output[0]) == TensorProto.FLOAT for name in ("floats", "scaled", "shifted"))


def test_every_fifth_image_is_compared_on_and_no_more_are_read_than_is_good(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number:03}.JPG").touch()
    (tmp_path / "notes.txt").touch()
    calibrated, compared = for_calibration(tmp_path)
    assert (len(calibrated.files), len(compared.files)) == (160, 40)
    assert not set(calibrated.files) & set(compared.files)
    assert compared.files[-1].name == "398.JPG"


def test_images_are_calibrated_on_as_the_network_will_get_them() -> None:
    calibrated, compared = for_calibration(IMAGES)
    assert (len(calibrated.files), len(compared.files)) == (3, 1)
    [pixels] = compared.read(preparing(Preparation((Resize((256, 256)),)), ROOT / "model_repository", 16))
    assert pixels.shape == (1, 128, 256, 3)
    [plain] = compared.read(AS_THEY_ARE)
    assert np.array_equal(plain[0], cv2.imread(str(compared.files[0]))[..., ::-1])


def test_images_that_are_missing_or_damaged_are_told(demo: ModelProto, tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=r"there is no folder .*nowhere: pass one with images like .* CALIB"):
        for_calibration(tmp_path / "nowhere")
    with pytest.raises(ImagesError, match=r"holds 0 images \(\.bmp, .*\): quantisation needs at least 2"):
        for_calibration(tmp_path)
    shutil.copy(IMAGES / "street.jpg", tmp_path / "a.jpg")
    shutil.copy(IMAGES / "street.jpg", tmp_path / "c.jpg")
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(ImagesError, match=r"b\.png cannot be read as an image: repair it, or remove it"):
        lowering.to_int8(demo, for_calibration(tmp_path), AS_THEY_ARE, tmp_path, Silent())
    with pytest.raises(ImagesError, match=r"there is no .*prepare\.py: export into the project's model_repository"):
        preparing(Preparation((Resize((256, 256)),)), tmp_path, 16)


def test_agreement_is_counted_over_all_pixels_and_the_classes_of_fp32() -> None:
    truth = [np.array([[[0, 0, 1, 1]]], np.uint8), np.array([[[0, 0, 0, 0]]], np.uint8)]
    answers = [np.array([[[0, 1, 1, 2]]], np.uint8), np.array([[[0, 0, 0, 0]]], np.uint8)]
    found = fidelity.compare(truth, answers)
    assert (found.images, found.equal, found.worst) == (2, 6 / 8, 0.5)
    assert found.miou == pytest.approx((5 / 6 + 1 / 3) / 2)
    with pytest.raises(
        DisagreementError, match=r"in int8 only 75\.0000% of the pixels keep their fp32 class, less than 97%: .* FORCE=1"
    ):
        fidelity.require(found, "int8")
