"""Networks that are ONNX already, with the inference.yml of their Paddle export."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from semseg_export.conversion import convert
from semseg_export.errors import ExportError
from semseg_export.weights.archive import read_archive
from tests.unit.export.exported import Run


@pytest.fixture(scope="module")
def converted(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelProto:
    """The network `argmax` as Paddle2ONNX converts it."""
    return convert.to_onnx(read_archive(exports / "argmax"), tmp_path_factory.mktemp("converted"))


@pytest.fixture
def folder(exports: Path, tmp_path: Path, converted: ModelProto) -> Path:
    """A folder with inference.onnx and inference.yml."""
    folder = tmp_path / "net"
    folder.mkdir()
    shutil.copy(exports / "argmax" / "inference.yml", folder)
    onnx.save(converted, folder / "inference.onnx")
    return folder


def test_an_onnx_file_is_compared_with_itself_and_says_so(run: Run, folder: Path) -> None:
    found = run(folder)
    assert found.told == "not compared with Paddle, because its program is not beside inference.onnx"
    assert (found.agreement, found.record.reference) == (1.0, "the ONNX file itself")
    assert (found.record.agreement, found.record.converter) == (None, None)  # agreement is always one with Paddle
    assert max(found.classes) >= 3
    assert found.network.default_model_filename == "model_cpu.onnx"


def test_beside_paddles_program_an_onnx_file_is_compared_with_paddle(run: Run, folder: Path, exports: Path) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        shutil.copy(exports / "argmax" / name, folder)
    found = run(folder / "inference.onnx")
    assert (found.told, found.record.reference, found.record.source) == ("", "Paddle", "inference.onnx")
    assert found.agreement >= 0.9999


def test_of_a_folder_with_both_paddles_program_is_converted(run: Run, folder: Path, exports: Path) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        shutil.copy(exports / "argmax" / name, folder)
    assert (run(folder).record.converter or "").startswith("paddle2onnx")


def test_an_onnx_file_that_is_not_the_network_beside_it_is_refused(run: Run, folder: Path, exports: Path) -> None:
    for name in ("inference.json", "inference.pdiparams"):
        shutil.copy(exports / "strict" / name, folder)
    with pytest.raises(ExportError, match=r"agrees with Paddle on only|at 257x129 pixels"):
        run(folder / "inference.onnx")


CONVERT = """
import sys
from paddle2onnx import export
folder, opset, file = sys.argv[1:]
export(f"{folder}/inference.json", f"{folder}/inference.pdiparams", file, opset_version=int(opset), optimize_tool="None")
"""


@pytest.mark.parametrize(("opset", "served"), [(11, "model_cpu.onnx"), (19, "model.onnx")])
def test_opsets_that_converters_write_are_taken(run: Run, folder: Path, exports: Path, opset: int, served: str) -> None:
    file = folder / "inference.onnx"
    subprocess.run([sys.executable, "-c", CONVERT, exports / "argmax", str(opset), file], check=True, capture_output=True)
    assert [each.version for each in onnx.load(file).opset_import] == [opset]
    found = run(folder)
    assert found.agreement == 1.0
    assert found.network.default_model_filename == served


def test_what_is_no_network_for_images_is_refused(run: Run, folder: Path, converted: ModelProto) -> None:
    file = folder / "inference.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExportError, match=r"inference\.onnx (is no complete ONNX file|holds an invalid graph)"):
        run(folder)
    bytes_in = ModelProto()
    bytes_in.CopyFrom(converted)
    bytes_in.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(bytes_in, file)
    with pytest.raises(ExportError, match="takes uint8 images: only networks that take float32 are served"):
        run(folder)


def old(opset: int, ir_version: int) -> ModelProto:
    """A network as exporters wrote them before opset 11: constants among the inputs, and a Resize by pairs of pixels."""
    random = np.random.default_rng(0)
    constants = [
        numpy_helper.from_array(random.normal(0, 1, (4, 3, 3, 3)).astype(np.float32), "weights"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "weights"], ["small"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Upsample" if opset < 10 else "Resize", ["small", "scales"], ["logits"], mode="linear"),
    ]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3, None, None])
    inputs = [image, *(helper.make_tensor_value_info(each.name, each.data_type, each.dims) for each in constants)]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None, 4, None, None])
    graph = helper.make_graph(nodes, "old", inputs, [logits], constants)
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", opset)])


@pytest.mark.parametrize(("opset", "ir_version"), [(9, 3), (10, 4)])
def test_old_exporters_files_keep_their_meaning(run: Run, folder: Path, opset: int, ir_version: int) -> None:
    onnx.save(old(opset, ir_version), folder / "inference.onnx")
    found = run(folder)
    assert (found.agreement, found.preparation.divisor) == (1.0, 2)


def test_a_file_of_a_newer_ir_version_is_taken(run: Run, folder: Path, converted: ModelProto) -> None:
    newer = ModelProto()
    newer.CopyFrom(converted)
    newer.ir_version = 11
    onnx.save(newer, folder / "inference.onnx")
    assert run(folder).agreement == 1.0


def test_an_onnx_file_alone_does_not_say_how_to_prepare_pixels(run: Run, folder: Path) -> None:
    (folder / "inference.yml").unlink()
    with pytest.raises(ExportError, match=r"has no inference\.yml, deploy\.yaml or model\.yml, .* add inference\.yml"):
        run(folder / "inference.onnx")
