from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from semseg_client.device import Device
from semseg_client.hosting.placement import place
from tests.unit.client.hosting.test_repository import ENSEMBLE, add

NETWORK = """
backend: "onnxruntime"
instance_group { count: 2 }
optimization {
  graph { level: 1 }
  execution_accelerators {
    cpu_execution_accelerator { name: "cann" parameters { key: "precision_mode" value: "force_fp16" } }
    cpu_execution_accelerator { name: "openvino" }
  }
}
"""


def placed(repository: Path, *devices: tuple[str, str]) -> ModelConfig:
    """The network's configuration after placing it on these devices, one after the other, with these providers."""
    if not (repository / "A").exists():
        add(repository, "A", ENSEMBLE)
        add(repository, "A_network", NETWORK)
    for device, provider in devices:
        place(repository, "A", Device.parse(device), provider)
    return text_format.Parse((repository / "A_network" / "config.pbtxt").read_text(), ModelConfig())


def accelerators(config: ModelConfig) -> dict[str, dict[str, str]]:
    found = config.optimization.execution_accelerators.cpu_execution_accelerator
    return {each.name: dict(each.parameters) for each in found}


def test_other_hardware_gets_a_group_for_each_number_and_an_accelerator_that_lists_them(tmp_path: Path) -> None:
    config = placed(tmp_path, ("npu:0,3", "CANNExecutionProvider"))
    assert [(group.kind, group.count) for group in config.instance_group] == [(ModelInstanceGroup.KIND_MODEL, 2)] * 2
    assert accelerators(config) == {"openvino": {}, "cann": {"precision_mode": "force_fp16", "device_id": "0,3"}}
    assert accelerators(placed(tmp_path, ("npu:1,2", "CANNExecutionProvider")))["cann"]["device_id"] == "1,2"
    assert accelerators(placed(tmp_path, ("dcu:1", "ROCMExecutionProvider"))) == {"openvino": {}, "rocm": {"device_id": "1"}}


def test_the_cpu_and_gpus_take_the_accelerator_of_other_hardware_away_and_leave_the_owners(tmp_path: Path) -> None:
    config = placed(tmp_path, ("npu:0,3", "CANNExecutionProvider"), ("cpu", "CPUExecutionProvider"))
    assert [(group.kind, group.count) for group in config.instance_group] == [(ModelInstanceGroup.KIND_CPU, 2)]
    assert accelerators(config) == {"openvino": {}}
    assert config.optimization.graph.level == 1
    config = placed(tmp_path, ("npu:0", "CANNExecutionProvider"), ("gpu:0,1", "CUDAExecutionProvider"))
    assert [(group.kind, group.count, list(group.gpus)) for group in config.instance_group] == [
        (ModelInstanceGroup.KIND_GPU, 2, [0, 1])
    ]
    assert accelerators(config) == {"openvino": {}}


def test_a_device_that_leaves_nothing_to_change_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "A_network" / "config.pbtxt"
    placed(tmp_path, ("npu:0", "CANNExecutionProvider"))
    before = file.stat().st_ino
    placed(tmp_path, ("npu:0", "CANNExecutionProvider"))
    assert file.stat().st_ino == before
    file.write_text('backend: "onnxruntime" instance_group { kind: KIND_CPU }')
    assert not placed(tmp_path, ("cpu", "CPUExecutionProvider")).HasField("optimization")


def test_the_file_for_the_cpu_is_served_there_and_nowhere_else(tmp_path: Path) -> None:
    def served(device: str, provider: str = "CPUExecutionProvider") -> str:
        place(tmp_path, "A", Device.parse(device), provider)
        return text_format.Parse((network / "config.pbtxt").read_text(), ModelConfig()).default_model_filename

    add(tmp_path, "A", ENSEMBLE)
    add(tmp_path, "A_network", "instance_group { count: 1 } version_policy { specific { versions: 2 } }")
    network = tmp_path / "A_network"
    assert served("cpu") == "model.onnx"  # the only file so far
    (network / "2").mkdir()
    (network / "2" / "model_cpu.onnx").touch()
    assert served("cpu") == "model_cpu.onnx"
    assert served("gpu:0", "CUDAExecutionProvider") == "model.onnx"
    assert served("cpu") == "model_cpu.onnx"
    assert served("npu:0", "CANNExecutionProvider") == "model.onnx"
    (network / "config.pbtxt").write_text('default_model_filename: "mine.onnx" instance_group { kind: KIND_GPU }')
    assert served("cpu") == "mine.onnx"
