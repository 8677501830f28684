"""docs/contract.md and the code say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import getsource

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_client import conversation
from semseg_client.gateway import app
from semseg_export import memory
from semseg_export.configuration import MAX_BATCH_SIZE, SHARED, Origin, ensemble_config, network_config, preprocess_config
from semseg_export.resize import Resize
from tests.support import ROOT

CONTRACT = (ROOT / "docs" / "contract.md").read_text()
ORIGIN = Origin(
    class_names=["road"],
    palette=[[128, 0, 0]],
    megapixels=8,
    memory=memory.Memory([[1, 2e8], [2, 3e8]], 0),
    source="a.tar",
    source_sha256="0" * 64,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-01T00:00:00+00:00",
    agreement=1.0,
    comparison=[],
    precision="int8",
    fidelity={"equal": 0.99},
    calibration={"folder": "streets", "images": 50},
    resize=Resize((512, 512)),
    folder_sha256="0" * 64,
)


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, each cell without its backquotes."""
    section = CONTRACT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("`", "") for cell in row] for row in rows]


def shared(name: str) -> triton.ModelConfig:
    text = (ROOT / "model_repository" / name / "config.pbtxt").read_text()
    return text_format.Parse(text, triton.ModelConfig())


CONFIGS = {
    **{name: shared(name) for name in SHARED},
    "<MODEL>_network": network_config("<MODEL>", 1, ["model.onnx"]),
    "<MODEL>_preprocess": preprocess_config(ROOT / "model_repository", "<MODEL>", ORIGIN.parameters()["resize"], 1),
    "<MODEL>": ensemble_config("<MODEL>", ORIGIN, 1),
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
    assert offered == [f"pixels_{limit}mp" for limit in memory.LIMITS]
    assert f"`<N>` is one of {', '.join(map(str, memory.LIMITS))}" in CONTRACT
    code = (ROOT / "model_repository/preprocess/1/model.py").read_text()
    assert f"MAX_BATCH_SIZE = {MAX_BATCH_SIZE} " in code


def test_every_model_takes_batches_and_requests_are_joined_for_the_network() -> None:
    assert {config.max_batch_size for config in CONFIGS.values()} == {MAX_BATCH_SIZE}
    assert [name for name, config in CONFIGS.items() if config.HasField("dynamic_batching")] == ["<MODEL>_network"]


def test_the_ensembles_parameters_are_those_of_the_table_and_clients_read_them_all() -> None:
    keys = [key for key, _ in table("The ensemble's parameters")]
    assert keys == list(ORIGIN.parameters())
    model = conversation.described(CONFIGS["<MODEL>"], "1")
    assert (model.class_names, model.palette, model.source) == (("road",), ((128, 0, 0),), "a.tar")
    assert (model.converter, model.agreement, model.max_pixels) == ("paddle2onnx 2.1.0", 1.0, 8 * 2**20)


def test_the_request_parameters_are_read_and_sent_under_their_names() -> None:
    names = [name for name, *_ in table("Request parameters")]
    for name in names:
        assert f'.get("{name}")' in (ROOT / "model_repository/preprocess/1/model.py").read_text()
    assert names == ["admitted", "target_size"]
    assert '"admitted"' in getsource(app.create_app)
    assert '"target_size"' in getsource(conversation.inference)


def test_both_ends_bound_a_target_size_alike() -> None:
    decoder = (ROOT / "model_repository/preprocess/1/resize.py").read_text()
    assert f"LONGEST_SIDE = {conversation.LONGEST_SIDE} " in decoder
    assert f"from 1 to {conversation.LONGEST_SIDE}" in CONTRACT
