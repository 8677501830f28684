"""docs/contract.md and the code agree."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from importlib import import_module
from types import ModuleType
from typing import get_args

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_client.triton import protocol as conversation
from semseg_contract import limits, palette, transforms
from semseg_contract.names import SHARED
from semseg_contract.record import Memory, ModelRecord
from semseg_contract.tensors import ADMITTED, TARGET_SIZE, limited_pixels
from semseg_contract.transforms import LimitLong, Padding, Preparation, Resize, ToFloat
from semseg_export.install.configuration import ensemble_config, network_config, preprocess_config
from tests.support import ROOT

CONTRACT = (ROOT / "docs" / "contract.md").read_text()
RECORD = ModelRecord(
    class_names=("road",),
    palette=((128, 0, 0),),
    max_pixels=8 * 2**20,
    memory=Memory([[1, 2e8], [2, 3e8]], 0),
    source="a.tar",
    source_sha256="0" * 64,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-01T00:00:00+00:00",
    reference="Paddle",
    agreement=1.0,
    comparison=[],
    precision="int8",
    fidelity={"equal": 0.99},
    calibration={"folder": "streets", "images": 50},
    engine={"name": "onnxruntime"},
    preparation=Preparation((Resize((512, 512)),)),
    folder_sha256="0" * 64,
)


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without backquotes."""
    section = CONTRACT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows]


def shared(name: str) -> triton.ModelConfig:
    text = (ROOT / "model_repository" / name / "config.pbtxt").read_text()
    return text_format.Parse(text, triton.ModelConfig())


ENSEMBLE = ensemble_config("<MODEL>", RECORD, 1)
CONFIGS = {
    **{name: shared(name) for name in SHARED},
    "<MODEL>_network": network_config(ENSEMBLE, 1, ["model.onnx"]),
    "<MODEL>_preprocess": preprocess_config(ROOT / "model_repository", ENSEMBLE, 1),
    "<MODEL>": ENSEMBLE,
}
TYPES = {"BYTES": triton.TYPE_STRING, "UINT8": triton.TYPE_UINT8, "INT8": triton.TYPE_INT8, "INT32": triton.TYPE_INT32}


def tensors(config: triton.ModelConfig) -> Iterator[tuple[str, int, list[int]]]:
    for each in [*config.input, *config.output]:
        yield each.name, each.data_type, list(each.dims)


def test_the_models_are_those_of_the_table() -> None:
    described = {name: kind for name, kind, *_ in table("Models in the repository")}
    assert described == {name: config.backend or config.platform for name, config in CONFIGS.items()}


@pytest.mark.parametrize("model", CONFIGS)
def test_every_tensor_is_as_the_table_has_it(model: str) -> None:
    described = {
        name: (TYPES[kind], [int(side) if side.isdecimal() else -1 for side in re.findall(r"\w[\w ]*", shape)])
        for name, kind, shape, *_ in table("Tensors")
    }
    for name, kind, dims in tensors(CONFIGS[model]):
        assert (kind, dims) == described[re.sub(r"_\d+mp$", "_<N>mp", name)]


def test_the_ensemble_joins_tensors_of_one_name() -> None:
    for step in CONFIGS["<MODEL>"].ensemble_scheduling.step:
        known = {name for name, *_ in tensors(CONFIGS[step.model_name])}
        maps = [*step.input_map.items(), *step.output_map.items()]
        assert all(name in known and name.removesuffix("_8mp") == value for name, value in maps)
        unused = {name for name in known - {name for name, _ in maps} if not name.endswith("mp")}
        assert unused == set()


def test_the_limits_of_size_are_the_outputs_of_preprocess() -> None:
    offered = [name for name, *_ in tensors(CONFIGS["preprocess"]) if name.startswith("pixels")]
    assert offered == [limited_pixels(size) for size in limits.SIZES]
    assert f"`<N>` is one of {', '.join(map(str, limits.SIZES))}" in CONTRACT


def test_every_model_takes_batches_and_requests_are_joined_for_the_network() -> None:
    assert {config.max_batch_size for config in CONFIGS.values()} == {limits.MAX_BATCH_SIZE}
    assert [name for name, config in CONFIGS.items() if config.HasField("dynamic_batching")] == ["<MODEL>_network"]


def test_the_ensembles_parameters_are_those_of_the_table_and_clients_read_them_all() -> None:
    keys = [key for key, _ in table("The ensemble's parameters")]
    assert keys == list(RECORD.parameters())
    model = conversation.described(CONFIGS["<MODEL>"], "1")
    assert (model.class_names, model.palette, model.source) == (("road",), ((128, 0, 0),), "a.tar")
    assert (model.converter, model.agreement, model.max_pixels) == ("paddle2onnx 2.1.0", 1.0, 8 * 2**20)


def test_the_steps_of_a_preparation_are_those_of_the_table() -> None:
    kinds = (*get_args(transforms.Scaling), *get_args(transforms.Filling), ToFloat)
    described = {name: settings.split(", ") if settings else [] for name, settings, _ in table("The steps of a preparation")}
    assert described == {kind.__name__: [field.name for field in fields(kind)] for kind in kinds}
    assert f"more than {transforms.LARGEST:,} pixels" in CONTRACT


def test_the_example_of_a_way_back_is_right() -> None:
    preparation = Preparation((LimitLong(512), Padding((512, 512))))
    assert preparation.sizes(1001, 667) == [(512, 341), (512, 512)]
    assert f"`{preparation.way_back(1001, 667)}`" in CONTRACT


def test_pixels_are_floats_where_the_preparation_computes_in_floats() -> None:
    ensemble = ensemble_config("net", replace(RECORD, preparation=Preparation((ToFloat(), Resize((64, 32))), (64, 32))), 1, 1)
    network, preprocess = network_config(ensemble, 1, ["model.onnx"]), preprocess_config(ROOT / "model_repository", ensemble, 1)
    assert ("pixels", triton.TYPE_FP32, [32, 64, 3]) in tensors(network)
    assert ("ids", triton.TYPE_UINT8, [32, 64]) in tensors(network)
    assert (network.max_batch_size, ensemble.max_batch_size) == (1, 1)
    assert preprocess is not None
    assert {kind for name, kind, _ in tensors(preprocess) if name.startswith("pixels")} == {triton.TYPE_FP32}


def test_the_request_parameters_are_those_of_the_table() -> None:
    assert [name for name, *_ in table("Request parameters")] == [ADMITTED, TARGET_SIZE]
    assert f"from 1 to {limits.LONGEST_SIDE}" in CONTRACT


def test_the_models_in_git_have_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have copies because a stock tritonserver loads them without our packages."""
    preprocess = triton_model("preprocess", monkeypatch)
    assert (preprocess.MAX_BATCH_SIZE, preprocess.MEGAPIXEL) == (limits.MAX_BATCH_SIZE, limits.MEGAPIXEL)
    assert import_module("prepare").LONGEST_SIDE == limits.LONGEST_SIDE
    draw = triton_model("draw", monkeypatch)
    assert (draw.palette() == palette.colour_table()).all()


def triton_model(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that Triton would load, with a stub for Triton's utilities."""
    utilities = ModuleType("triton_python_backend_utils")
    utilities.InferenceRequest = utilities.InferenceResponse = utilities.Tensor = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, utilities.__name__, utilities)
    monkeypatch.syspath_prepend(str(ROOT / "model_repository" / name / "1"))
    monkeypatch.delitem(sys.modules, "model", raising=False)
    return import_module("model")


def test_the_backend_counts_cores_as_the_gateway_does() -> None:
    copies = ("contract/semseg_contract/cores.py", "server/semseg_server/backends/onnxruntime/cores.py")
    assert len({(ROOT / copy).read_bytes() for copy in copies}) == 1


def test_the_backend_runs_a_core_as_the_export_has_tried_it() -> None:
    copies = ("contract/semseg_contract/engine.py", "server/semseg_server/backends/engines/engine.py")
    assert len({(ROOT / copy).read_bytes() for copy in copies}) == 1


def test_preprocess_computes_sizes_as_the_export_does() -> None:
    copies = ("contract/semseg_contract/transforms.py", "model_repository/preprocess/1/transforms.py")
    assert len({(ROOT / copy).read_bytes() for copy in copies}) == 1


def test_label_maps_and_pictures_are_led_back_alike() -> None:
    copies = ("model_repository/postprocess/1/way_back.py", "model_repository/draw/1/way_back.py")
    assert len({(ROOT / copy).read_bytes() for copy in copies}) == 1
