"""What to export, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from semseg_contract import engine

from .install.placement import Device, Placement


class Precision(str, Enum):
    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class Engine(str, Enum):
    """What runs a network on a CPU. AUTO: whichever is fastest here and agrees with Paddle."""

    AUTO = "auto"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = engine.OPENVINO
    MNN = engine.MNN
    MNN_PRECISE = engine.MNN_PRECISE


OTHER_ENGINES = (Engine.OPENVINO, Engine.MNN, Engine.MNN_PRECISE)


@dataclass(frozen=True)
class Request:
    """What to export: the name to serve it under, and its weights (default: PaddleX's official ones).

    `architecture` is PaddleX's name for the network, if it is not `model`. `classes` is a file of class names, one per line.
    `threshold` is for a network of one channel: pixels with higher scores are foreground.
    """

    model: str
    weights: str | None = None
    architecture: str | None = None
    classes: Path | None = None
    folder_sha256: str | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class ExportOptions:
    """How to export. `agreement` is the minimum share of pixels, 0 to 1, that must match Paddle; `memory` is in GB; `images` is a
    folder of images to compare on, too.

    Raises ValueError if options contradict each other; its message says what to do.
    """

    repository: Path
    agreement: float
    memory: float
    precision: Precision
    calibration: Path | None
    force: bool
    placement: Placement
    images: Path | None = None
    engine: Engine = Engine.AUTO

    def __post_init__(self) -> None:
        device = self.placement.device
        if not math.isfinite(self.memory):
            raise ValueError(f"{self.memory:g} GB are no limit: pass as many as the server may use with --memory (MEMORY=)")
        if self.placement.accelerator is not None and device is not Device.GPU:
            raise ValueError("an accelerator needs a GPU: add --device gpu (DEVICE=gpu)")
        if self.precision is Precision.FP16 and device is not Device.GPU:
            raise ValueError("fp16 is for GPUs and slow on a CPU: add --device gpu (DEVICE=gpu), or use int8")
        if self.precision is Precision.INT8 and device is Device.GPU:
            raise ValueError("int8 is for CPUs: use fp16 on a GPU")
        if self.precision is Precision.INT8 and self.calibration is None:
            raise ValueError(
                "int8 needs about 50 images like those you will segment: pass their folder with CALIBRATION= (--calibration)"
            )
        if self.engine in OTHER_ENGINES and (device is Device.GPU or self.precision is not Precision.FP32):
            raise ValueError(f"{self.engine.value} is for fp32 on a CPU: leave out --engine (ENGINE=)")
        if self.precision is not Precision.INT8 and self.calibration is not None:
            raise ValueError("calibration is only for int8: add --precision int8 (PRECISION=int8)")
