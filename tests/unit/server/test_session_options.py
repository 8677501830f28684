"""The C++ backend's configuration keys reach ONNX Runtime; those that cannot are reported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from semseg_server.bundle import OUR_BACKENDS

sys.path.insert(0, str(OUR_BACKENDS / "onnxruntime"))  # as Triton does
from cores import cores
from session_options import ACCELERATORS, Refused, check_started, settings

from semseg_client import device


def config(**parameters: str) -> dict[str, Any]:
    return {"parameters": {key: {"string_value": value} for key, value in parameters.items()}}


def test_threads_mode_and_memory_are_set() -> None:
    chosen = settings(
        config(
            intra_op_thread_count="3",
            inter_op_thread_count="2",
            execution_mode="1",
            enable_mem_arena="0",
            enable_mem_pattern="false",
        ),
        "CPU",
        0,
    )
    options = chosen.options
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode == ort.ExecutionMode.ORT_PARALLEL
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)
    assert chosen.providers == [("CPUExecutionProvider", {})]
    assert chosen.notes == []


@pytest.mark.parametrize(
    ("groups", "share"),
    [
        ([], 1),
        ([{"count": 1}], 1),
        ([{"count": 2}, {"count": 1}], 3),
        ([{"count": 1, "gpus": [0, 1, 2, 3]}], 4),
        ([{"count": 999}], 999),
    ],
)
@pytest.mark.parametrize("parameters", [{}, {"intra_op_thread_count": "0"}, {"intra_op_thread_count": "-3"}])
def test_instances_share_the_cores_and_nobody_spins(groups: list[dict[str, Any]], share: int, parameters: dict[str, str]) -> None:
    options = settings({**config(**parameters), "instance_group": groups}, "CPU", 0).options
    assert options.intra_op_num_threads == max(1, cores() // share)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    ("siblings", "quota", "allowed", "expected"),
    [
        ({}, None, [0, 1, 2], 3),
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, None, [0, 1, 2, 3], 2),
        ({0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, None, [1, 3], 1),
        ({}, "max 100000", [0, 1, 2, 3], 4),
        ({}, "250000 100000", [0, 1, 2, 3], 2),
        ({}, "20000 100000", [0, 1, 2, 3], 1),
        ({}, "nonsense", [0, 1], 2),
    ],
)
def test_cores_are_physical_and_within_the_quota(
    tmp_path: Path, siblings: dict[int, str], quota: str | None, allowed: list[int], expected: int
) -> None:
    for number, others in siblings.items():
        topology = tmp_path / f"devices/system/cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{others}\n")
    if quota is not None:
        for group in ("", "ours/inner"):
            folder = tmp_path / "fs/cgroup" / group
            folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "cpu.max").write_text(f"{quota}\n")
        (folder / "cpu.max").write_text("max 100000\n")
    assert cores(tmp_path, allowed, "/ours/inner") == expected
    assert cores(tmp_path, allowed, "/") >= expected


def test_without_an_affinity_all_processors_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 12)
    assert cores(tmp_path) == 12


@pytest.mark.parametrize(
    ("level", "expected"), [(-1, "ORT_ENABLE_BASIC"), (0, "ORT_ENABLE_ALL"), (1, "ORT_ENABLE_EXTENDED"), (2, "ORT_DISABLE_ALL")]
)
def test_graph_level_means_what_it_means_to_the_cpp_backend(level: int, expected: str) -> None:
    chosen = settings({"optimization": {"graph": {"level": level}}}, "CPU", 0)
    assert chosen.options.graph_optimization_level.name == expected


def test_session_and_run_entries_are_passed_on() -> None:
    parameters = {"memory.enable_memory_arena_shrinkage": "cpu:0", "session.use_device_allocator_for_initializers": "1"}
    chosen = settings(config(**parameters), "CPU", 0)
    assert chosen.run_entries == {"memory.enable_memory_arena_shrinkage": "cpu:0"}
    assert chosen.options.get_session_config_entry("session.use_device_allocator_for_initializers") == "1"


def test_keys_without_effect_are_named() -> None:
    chosen = settings(config(gpu_mem_limit="1", intra_op_threads="2", EXECUTION_ENV_PATH="x"), "CPU", 0)
    assert [note.split()[1] for note in chosen.notes] == ["gpu_mem_limit", "intra_op_threads"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (config(intra_op_thread_count="two"), "intra_op_thread_count"),
        (config(execution_mode="7"), "execution_mode"),
        (config(enable_mem_arena="maybe"), "enable_mem_arena"),
        ({"sequence_batching": {"direct": {}}}, "sequence_batching"),
        ({"optimization": {"execution_accelerators": {"cpu_execution_accelerator": [{"name": "tpu"}]}}}, "tpu"),
        (
            {"optimization": {"execution_accelerators": {"cpu_execution_accelerator": [{"name": "openvino"}]}}},
            "OpenVINOExecutionProvider",
        ),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named):
        settings(wrong, "CPU", 0)


def test_a_gpu_accelerator_on_a_cpu_instance_is_named() -> None:
    accelerators = {"gpu_execution_accelerator": [{"name": "tensorrt"}]}
    chosen = settings({"optimization": {"execution_accelerators": accelerators}}, "CPU", 0)
    assert "tensorrt" in chosen.notes[0]


def test_a_gpu_instance_without_a_gpu_build_runs_on_the_cpu_and_says_so() -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime is a GPU build")
    chosen = settings({}, "GPU", 0)
    assert chosen.providers == [("CPUExecutionProvider", {})]
    assert "CUDAExecutionProvider" in chosen.notes[0]


def test_on_a_gpu_build_tritons_numbers_become_names_and_accelerators_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU build at hand, the test uses the provider list that such a build reports."""
    build = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: build)
    wanted = [
        {"name": "tensorrt", "parameters": {"precision_mode": "FP16", "max_workspace_size_bytes": "1"}},
        {"name": "cuda", "parameters": {"cudnn_conv_use_max_workspace": "0"}},
    ]
    accelerators = {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": wanted}}}
    chosen = settings({**config(cudnn_conv_algo_search="1", arena_extend_strategy="1"), **accelerators}, "GPU", 1)
    assert chosen.providers == [
        ("TensorrtExecutionProvider", {"device_id": "1", "trt_fp16_enable": "1", "trt_max_workspace_size": "1"}),
        (
            "CUDAExecutionProvider",
            {
                "device_id": "1",
                "cudnn_conv_algo_search": "HEURISTIC",
                "arena_extend_strategy": "kSameAsRequested",
                "cudnn_conv_use_max_workspace": "0",
            },
        ),
        ("CPUExecutionProvider", {}),
    ]


def placed(name: str, **parameters: str) -> dict[str, Any]:
    accelerators = {"cpu_execution_accelerator": [{"name": name, "parameters": parameters}]}
    return {"optimization": {"execution_accelerators": accelerators}}


def test_every_accelerator_that_a_device_is_placed_by_is_known() -> None:
    assert {device.accelerator(ACCELERATORS[each]) for each in device.ACCELERATORS} == device.ACCELERATORS


def test_on_other_hardware_each_instance_group_has_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a CANN build at hand, the test uses the provider list that such a build reports."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CANNExecutionProvider", "CPUExecutionProvider"])
    config = placed("cann", device_id="0,3", precision_mode="force_fp16")
    chosen = [settings(config, "MODEL", 0, group) for group in (0, 1)]
    assert [each.providers for each in chosen] == [
        [("CANNExecutionProvider", {"device_id": own, "precision_mode": "force_fp16"}), ("CPUExecutionProvider", {})]
        for own in ("0", "3")
    ]
    assert chosen[0].notes == []
    assert dict(settings(placed("cann", device_id="2"), "MODEL", 0, 5).providers)["CANNExecutionProvider"] == {"device_id": "2"}
    with pytest.raises(Refused, match=r"device_id '0,3' has no device for instance group 2"):
        settings(config, "MODEL", 0, 2)
    with pytest.raises(Refused, match="device_id must be a whole number"):
        settings(placed("cann", device_id="first"), "MODEL", 0)


def test_a_provider_that_is_not_started_is_refused_and_never_replaced_by_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=r"'cann' needs CANNExecutionProvider; the installed ONNX Runtime has .*CPU"):
        settings(placed("cann", device_id="0"), "MODEL", 0)
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CANNExecutionProvider", "CPUExecutionProvider"])
    chosen = settings(placed("cann", device_id="0"), "MODEL", 0)
    check_started(chosen, ["CANNExecutionProvider", "CPUExecutionProvider"])
    with pytest.raises(Refused, match="could not start CANNExecutionProvider"):
        check_started(chosen, ["CPUExecutionProvider"])
