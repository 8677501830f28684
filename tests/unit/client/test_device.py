from __future__ import annotations

import pytest

from semseg_client import SemsegError
from semseg_client.device import Device
from semseg_client.errors import DeviceError

ACCELERATORS = ["gpu", "npu", "xpu", "mlu", "dcu", "gcu", "iluvatar_gpu", "metax_gpu"]
CPU_ONLY = ["AzureExecutionProvider", "CPUExecutionProvider"]  # what PyPI's onnxruntime package offers


@pytest.mark.parametrize(
    ("text", "kind", "ids"),
    [
        ("cpu", "cpu", ()),
        ("CPU", "cpu", ()),
        ("gpu", "gpu", (0,)),
        ("gpu:0", "gpu", (0,)),
        ("GPU:1,2", "gpu", (1, 2)),
        (" Gpu : 3 , 0 ", "gpu", (3, 0)),
        ("npu:7", "npu", (7,)),
        ("iluvatar_gpu:0,1", "iluvatar_gpu", (0, 1)),
    ],
)
def test_paddlexs_devices_are_read(text: str, kind: str, ids: tuple[int, ...]) -> None:
    assert Device.parse(text) == Device(kind, ids)


@pytest.mark.parametrize("device", [Device("cpu", ()), *(Device(kind, (0, 2)) for kind in ACCELERATORS)])
def test_a_device_is_written_as_it_is_read(device: Device) -> None:
    assert Device.parse(str(device)) == device


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gpu:", "device 'gpu:': a number is missing; write gpu:0 or gpu:0,1"),
        ("gpu:0,", "device 'gpu:0,': a number is missing; write gpu:0 or gpu:0,1"),
        ("npu:a", "device 'npu:a': 'a' is not a number from 0 to 9999; write npu:0 or npu:0,1"),
        ("gpu:-1", "device 'gpu:-1': '-1' is not a number from 0 to 9999; write gpu:0 or gpu:0,1"),
        ("gpu:0:1", "device 'gpu:0:1': '0:1' is not a number from 0 to 9999; write gpu:0 or gpu:0,1"),
        ("gpu:10000", "device 'gpu:10000': '10000' is not a number from 0 to 9999; write gpu:0 or gpu:0,1"),
        ("gpu:²", "device 'gpu:²': '²' is not a number from 0 to 9999; write gpu:0 or gpu:0,1"),
        ("gpu:0,0", "device 'gpu:0,0': 0 is given twice"),
        ("gpu:0,1,00", "device 'gpu:0,1,00': 0 is given twice"),
        ("cpu:0", "device 'cpu:0': the CPU has no numbers; write cpu"),
        ("tpu", "device 'tpu': unknown; did you mean cpu or gpu or npu or xpu?"),
        ("metaxgpu:1", "device 'metaxgpu:1': unknown; did you mean metax_gpu?"),
        ("cuda:0", "device 'cuda:0': unknown; did you mean gpu?"),
        ("", "device '': unknown; known devices: cpu, gpu, npu, xpu, mlu, dcu, gcu, iluvatar_gpu, metax_gpu"),
        ("abacus", "device 'abacus': unknown; known devices: cpu, gpu, npu, xpu, mlu, dcu, gcu, iluvatar_gpu, metax_gpu"),
    ],
)
def test_what_is_no_device_is_told_with_what_is_meant(text: str, told: str) -> None:
    with pytest.raises(DeviceError) as raised:
        Device.parse(text)
    assert str(raised.value) == told
    assert isinstance(raised.value, SemsegError)


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("cpu", "CPUExecutionProvider"),
        ("gpu:1", "CUDAExecutionProvider"),
        ("npu", "CANNExecutionProvider"),
        ("dcu", "MIGraphXExecutionProvider"),
        ("dcu", "ROCMExecutionProvider"),
    ],
)
def test_a_device_that_onnx_runtime_offers_is_let_pass(text: str, provider: str) -> None:
    assert Device.parse(text).provider([provider, "CPUExecutionProvider"]) == provider


def test_of_two_providers_the_better_is_taken_in_whatever_order_they_are_offered() -> None:
    assert Device.parse("dcu").provider(["ROCMExecutionProvider", "MIGraphXExecutionProvider"]) == "MIGraphXExecutionProvider"


@pytest.mark.parametrize(
    ("text", "available", "told"),
    [
        (
            "gpu",
            CPU_ONLY,
            "device 'gpu:0': needs CUDAExecutionProvider, which the installed ONNX Runtime does not offer;"
            " it offers AzureExecutionProvider, CPUExecutionProvider; usable devices: cpu",
        ),
        (
            "dcu:1",
            ["CUDAExecutionProvider", "CPUExecutionProvider"],
            "device 'dcu:1': needs MIGraphXExecutionProvider or ROCMExecutionProvider, which the installed ONNX Runtime does not"
            " offer; it offers CUDAExecutionProvider, CPUExecutionProvider; usable devices: cpu, gpu",
        ),
        (
            "mlu",
            CPU_ONLY,
            "device 'mlu:0': ONNX Runtime lists no execution provider for the Cambricon MLU;"
            " it offers AzureExecutionProvider, CPUExecutionProvider; usable devices: cpu",
        ),
        (
            "cpu",
            [],
            "device 'cpu': needs CPUExecutionProvider, which the installed ONNX Runtime does not offer;"
            " it offers none; usable devices: none",
        ),
    ],
)
def test_a_device_that_onnx_runtime_lacks_is_told_with_what_there_is(text: str, available: list[str], told: str) -> None:
    with pytest.raises(DeviceError) as raised:
        Device.parse(text).provider(available)
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("cpu", [("KIND_CPU", [])]),
        ("gpu", [("KIND_GPU", [0])]),
        ("gpu:0,1", [("KIND_GPU", [0, 1])]),
        ("npu:0,1", [("KIND_MODEL", []), ("KIND_MODEL", [])]),
    ],
)
def test_instance_groups_name_gpus_only_where_triton_knows_them(text: str, groups: list[tuple[str, list[int]]]) -> None:
    assert Device.parse(text).instance_groups() == groups


@pytest.mark.parametrize("text", ["cpu", *ACCELERATORS, *(f"{kind}:0,1" for kind in ACCELERATORS)])
def test_triton_takes_every_instance_group(text: str) -> None:
    from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

    for kind, gpus in Device.parse(text).instance_groups():
        group = ModelInstanceGroup(kind=kind, gpus=gpus)
        assert bool(group.gpus) == (group.kind == ModelInstanceGroup.KIND_GPU)


@pytest.mark.parametrize("kind", ["cpu", *ACCELERATORS])
def test_every_provider_is_one_that_onnx_runtime_has_or_had(kind: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    known = {*onnxruntime.get_all_providers(), "ROCMExecutionProvider"}
    assert set(Device.parse(kind).providers) <= known
