from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract.transforms import Padding, Preparation, Resize
from semseg_export.install.configuration import ensemble_config, network_config
from semseg_export.install.placement import Accelerator, Device, Placement
from semseg_export.install.repository import install, prune, serve
from semseg_export.options import ExportOptions, Precision
from tests.unit.export.install.test_repository import RECORD, config, files

BOTH = {"model.onnx": b"any", "model_cpu.onnx": b"cpu"}
ONE = {"model.onnx": b"any"}
NET = triton.ModelConfig(name="net", max_batch_size=8)
CPU, GPU = triton.ModelInstanceGroup.KIND_CPU, triton.ModelInstanceGroup.KIND_GPU


def kinds(network: triton.ModelConfig) -> list[int]:
    return [group.kind for group in network.instance_group]


@pytest.mark.parametrize(
    ("device", "there", "kind", "file"),
    [
        (None, BOTH, CPU, "model_cpu.onnx"),
        (Device.CPU, BOTH, CPU, "model_cpu.onnx"),
        (None, ONE, CPU, "model.onnx"),
        (Device.GPU, BOTH, GPU, "model.onnx"),
    ],
)
def test_a_new_network_goes_where_it_is_told_with_the_file_for_it(
    device: Device | None, there: dict[str, bytes], kind: int, file: str
) -> None:
    network = network_config(NET, 1, there, Placement(device))
    assert (kinds(network), network.default_model_filename) == ([kind], file)


@pytest.mark.parametrize("kind", ["KIND_AUTO", "KIND_GPU", "KIND_MODEL"])
def test_the_file_for_the_cpu_is_never_served_where_a_gpu_may_run_it(kind: str, tmp_path: Path) -> None:
    present = tmp_path / "config.pbtxt"
    present.write_text(f'name: "net_network" default_model_filename: "model_cpu.onnx" instance_group {{ kind: {kind} count: 2 }}')
    network = network_config(NET, 2, BOTH, present=present)
    assert network.default_model_filename == "model.onnx"
    assert network.instance_group[0].count == 2
    moved = network_config(NET, 2, BOTH, Placement(Device.CPU), present)
    assert (kinds(moved), moved.instance_group[0].count, moved.default_model_filename) == ([CPU], 2, "model_cpu.onnx")


def test_what_the_owner_named_and_another_provider_on_the_cpu_are_left_alone(tmp_path: Path) -> None:
    present = tmp_path / "config.pbtxt"
    present.write_text('name: "net_network" default_model_filename: "mine.onnx" instance_group { kind: KIND_CPU gpus: [] }')
    assert network_config(NET, 2, BOTH, Placement(Device.GPU), present).default_model_filename == "mine.onnx"
    present.write_text(
        'name: "net_network" instance_group { kind: KIND_CPU }'
        ' optimization { execution_accelerators { cpu_execution_accelerator { name: "openvino" } } }'
    )
    assert network_config(NET, 2, BOTH, present=present).default_model_filename == "model.onnx"


def test_versions_of_one_and_of_two_files_take_turns(tmp_path: Path) -> None:
    install(tmp_path, "net", BOTH, RECORD)
    assert config(tmp_path / "net_network").default_model_filename == "model_cpu.onnx"
    install(tmp_path, "net", ONE, RECORD)
    assert config(tmp_path / "net_network").default_model_filename == "model.onnx"
    serve(tmp_path, "net", 1)
    assert config(tmp_path / "net_network").default_model_filename == "model_cpu.onnx"
    assert prune(tmp_path, "net") == (2,)
    assert files(tmp_path / "net_network") == {"config.pbtxt", "1/model.onnx", "1/model_cpu.onnx"}
    install(tmp_path, "net", BOTH, RECORD, Placement(Device.GPU))
    serve(tmp_path, "net", 1)
    network = config(tmp_path / "net_network")
    assert (kinds(network), network.default_model_filename) == ([GPU], "model.onnx")


def test_tensorrt_gets_nvidias_keys_and_takes_the_place_of_cuda(tmp_path: Path) -> None:
    install(tmp_path, "net", ONE, RECORD, Placement(Device.GPU, Accelerator.CUDA))
    install(tmp_path, "net", ONE, RECORD, Placement(Device.GPU, Accelerator.TENSORRT, half=True))
    network = text_format.Parse((tmp_path / "net_network" / "config.pbtxt").read_text(), triton.ModelConfig())
    [accelerator] = network.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    assert dict(accelerator.parameters) == {
        "precision_mode": "FP16",
        "max_workspace_size_bytes": "1073741824",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "/var/cache/semseg-tensorrt",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": "/var/cache/semseg-tensorrt",
        "trt_profile_min_shapes": "pixels:1x32x32x3",
        "trt_profile_opt_shapes": "pixels:1x1024x2048x3",
        "trt_profile_max_shapes": "pixels:8x2048x2048x3",
    }


STRETCHED = Preparation((Resize((192, 128), False, None),), (192, 128))


@pytest.mark.parametrize(
    ("preparation", "most", "profile"),
    [
        (Preparation(), 8, ["1x32x32", "1x1024x2048", "8x2048x2048"]),
        (Preparation(divisor=64), 8, ["1x64x64", "1x1024x2048", "8x2048x2048"]),
        (STRETCHED, 1, ["1x128x192", "1x128x192", "1x128x192"]),
        (Preparation((Resize((512, 512)),)), 4, ["1x32x32", "1x256x512", "4x512x512"]),
        (Preparation((Padding((96, 64)),)), 8, ["1x64x96", "1x64x96", "8x64x96"]),  # it takes small images only
    ],
)
def test_the_profile_for_tensorrt_fits_what_the_network_takes(preparation: Preparation, most: int, profile: list[str]) -> None:
    ensemble = ensemble_config("net", replace(RECORD, preparation=preparation), 1, most)
    network = network_config(ensemble, 1, ONE, Placement(Device.GPU, Accelerator.TENSORRT))
    [accelerator] = network.optimization.execution_accelerators.gpu_execution_accelerator
    shapes = [accelerator.parameters[f"trt_profile_{end}_shapes"] for end in ("min", "opt", "max")]
    assert shapes == [f"pixels:{shape}x3" for shape in profile]


@pytest.mark.parametrize(
    ("precision", "calibration", "placement", "complaint"),
    [
        (Precision.FP32, None, Placement(None, Accelerator.CUDA), "an accelerator needs a GPU: add --device gpu"),
        (Precision.FP16, None, Placement(Device.CPU), "fp16 is for GPUs and slow on a CPU"),
        (Precision.INT8, Path("images"), Placement(Device.GPU), "int8 is for CPUs: use fp16"),
        (Precision.INT8, None, Placement(), "about 50 images like those you will segment: pass their folder .* CALIBRATION="),
        (Precision.FP32, Path("images"), Placement(), "calibration is only for int8: add --precision int8"),
    ],
)
def test_what_does_not_go_together_is_told(
    precision: Precision, calibration: Path | None, placement: Placement, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        ExportOptions(Path("r"), 0.999, 8, precision, calibration, False, placement)
