from __future__ import annotations

from dataclasses import replace

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from semseg_contract.record import Memory, ModelRecord
from semseg_contract.transforms import Padding, Preparation, Resize, ToFloat

RECORD = ModelRecord(
    class_names=("road", 'a "wall"', "Straße"),
    palette=((128, 0, 0), (0, 128, 0), (128, 128, 0)),
    max_pixels=8 * 2**20,
    memory=Memory([[1, 2e8], [2, 3e8]], 0),
    source="net.tar",
    source_sha256="ab" * 32,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-02T03:04:05+00:00",
    reference="Paddle",
    agreement=0.9999,
    comparison=[{"batch": 1, "height": 256, "width": 512, "differing": 1, "margin": None}],
    precision="int8",
    fidelity={"equal": 0.99},
    calibration={"folder": "streets", "images": 50},
    preparation=Preparation((ToFloat(), Resize((512, 512)), Padding((512, 512), (1.5, 2, 3))), (512, 512), 32),
    folder_sha256="0" * 64,
)


def config(**parameters: str) -> ModelConfig:
    made = ModelConfig(name="net")
    for key, value in parameters.items():
        made.parameters[key].string_value = value
    return made


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, preparation=None, fidelity=None), ModelRecord(("road",))])
def test_what_is_written_is_read(record: ModelRecord) -> None:
    assert ModelRecord.read(ModelConfig(parameters=record.parameters())) == record


def test_what_is_not_told_is_not_written() -> None:
    assert list(ModelRecord(("road",)).parameters()) == ["class_names", "palette"]


def test_parameters_of_others_are_ignored() -> None:
    assert ModelRecord.read(config(class_names='["road"]', owner="somebody")) == ModelRecord(("road",))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_names", "road"),
        ("palette", "[[1, 2]]"),
        ("max_pixels", "many"),
        ("agreement", ""),
        ("preparation", "{}"),
        ("memory", "[]"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^net: the parameter {key} cannot be read"):
        ModelRecord.read(config(**{"class_names": "[]", key: value}))
