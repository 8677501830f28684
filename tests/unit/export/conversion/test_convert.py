from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import paddle
import pytest
from onnx import ModelProto, helper

from semseg_export.conversion import convert
from semseg_export.errors import ConversionError
from semseg_export.paddle_process import run_module
from semseg_export.weights.archive import Archive


def saved(layer: paddle.nn.Layer, folder: Path) -> Archive:
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(layer, input_spec=spec, full_graph=True), str(folder / "inference"))
    return Archive(folder / "inference.json", folder / "inference.json", folder / "inference.yml")


def test_what_aborts_the_converter_is_told_in_its_own_words(tmp_path: Path) -> None:
    archive = saved(paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 1), paddle.nn.AdaptiveMaxPool2D(2)), tmp_path)
    with pytest.raises(ConversionError, match=r"inference\.json with Paddle2ONNX failed .*daptive") as failure:
        convert.to_onnx(archive, tmp_path)
    assert "\n" not in str(failure.value)
    assert failure.value.detail


def test_a_program_that_is_cut_off_is_told(archive: Archive, tmp_path: Path) -> None:
    program = tmp_path / "inference.json"
    program.write_text(archive.program.read_text()[:1000])
    shutil.copy(archive.parameters, tmp_path)
    with pytest.raises(ConversionError, match="is no complete program of Paddle's: export the network again"):
        convert.to_onnx(replace(archive, program=program), tmp_path)


def test_parameters_of_another_network_are_told(archive: Archive, tmp_path: Path) -> None:
    program = Path(shutil.copy(archive.program, tmp_path))
    program.with_suffix(".pdiparams").write_bytes(archive.parameters.read_bytes()[:1000])
    with pytest.raises(ConversionError, match=r"invalid graph, perhaps because inference\.pdiparams is cut off"):
        convert.to_onnx(replace(archive, program=program), tmp_path)


def test_a_silent_child_is_told_too() -> None:
    with pytest.raises(ConversionError, match="counting failed"):
        run_module("semseg_export.nothing_of_this_name", [], "counting")


def test_networks_are_of_opset_17_and_ir_version_8(network: ModelProto) -> None:
    assert [(entry.domain, entry.version) for entry in network.opset_import] == [("", 17)]
    assert network.ir_version == 8


def test_a_misread_epsilon_is_refused() -> None:
    node = helper.make_node("BatchNormalization", ["a", "b", "c", "d", "e"], ["f"], "norm", epsilon=3e-41)
    with pytest.raises(ConversionError, match="BatchNormalization norm has epsilon"):
        convert.check_node(node)


def test_operators_of_other_domains_are_refused() -> None:
    with pytest.raises(ConversionError, match="DeformConv"):
        convert.check_node(helper.make_node("DeformConv", ["a"], ["b"], domain="com.custom"))
