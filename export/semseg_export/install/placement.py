"""Where a network runs: its device, accelerator and file in config.pbtxt.

The accelerators' keys are those of NVIDIA's C++ backend (github.com/triton-inference-server/onnxruntime_backend, README.md).
None of the GPU settings has been tested on a GPU.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract.names import CPU_ONLY
from semseg_contract.placement import choose_file, put_on
from semseg_contract.tensors import PIXELS
from semseg_contract.transforms import Preparation, Size

WORKSPACE = 2**30  # bytes
ENGINES = "/var/cache/semseg-tensorrt"  # in Triton's container; mount a volume there to keep the engines
# Of images. For any input that is smaller or larger than those prepared from these, TensorRT builds a new engine, which takes
# minutes.
EXTREMES: tuple[Size, ...] = ((32, 32), (2048, 32), (32, 2048), (2048, 2048))
USUAL: Size = (2048, 1024)


class Device(str, Enum):
    CPU = "cpu"
    GPU = "gpu"


class Accelerator(str, Enum):
    CUDA = "cuda"
    TENSORRT = "tensorrt"


@dataclass(frozen=True)
class Placement:
    """Where to run a network. Without a device, it stays on its current one; a new network goes to the CPU."""

    device: Device | None = None
    accelerator: Accelerator | None = None
    half: bool = False  # whether the network is float16, which TensorRT must know

    def apply(self, config: triton.ModelConfig, files: Collection[str], preparation: Preparation) -> None:
        """Write the placement into a network's configuration. `files` names its files; `preparation` makes its images."""
        if self.device is not None or not config.instance_group:
            _put_on(config, self.device or Device.CPU)
        if self.accelerator is not None:
            tensorrt = self.accelerator is Accelerator.TENSORRT
            parameters = _tensorrt(self.half, preparation, config.max_batch_size) if tensorrt else {}
            _accelerate(config, self.accelerator, parameters)
        choose_file(config, CPU_ONLY in files)


def _put_on(config: triton.ModelConfig, device: Device) -> None:
    kind = triton.ModelInstanceGroup.KIND_CPU if device is Device.CPU else triton.ModelInstanceGroup.KIND_GPU
    if {group.kind for group in config.instance_group} != {kind}:
        put_on(config, [(kind, [])])


def _accelerate(config: triton.ModelConfig, accelerator: Accelerator, parameters: dict[str, str]) -> None:
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    others = [each for each in accelerators if each.name not in {each.value for each in Accelerator}]
    del accelerators[:]
    accelerators.extend(others)
    accelerators.add(name=accelerator.value, parameters=parameters)


def _tensorrt(half: bool, preparation: Preparation, most: int) -> dict[str, str]:
    """The settings for batches of at most `most` images."""
    sizes = preparation.made_of((*EXTREMES, USUAL))
    widths, heights = zip(*sizes, strict=True)
    profile = {
        "min": (1, min(widths), min(heights)),
        "opt": (1, *sizes[-1]),
        "max": (max(most, 1), max(widths), max(heights)),
    }
    shapes = {
        f"trt_profile_{end}_shapes": f"{PIXELS}:{batch}x{height}x{width}x3" for end, (batch, width, height) in profile.items()
    }
    return {
        "precision_mode": "FP16" if half else "FP32",
        "max_workspace_size_bytes": str(WORKSPACE),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": ENGINES,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": ENGINES,
        **shapes,
    }
