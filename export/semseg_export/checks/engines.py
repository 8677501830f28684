"""Chooses the engine that runs a network on a CPU. OpenVINO must give Paddle's classes, in less time than ONNX Runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from semseg_contract.names import ANY_DEVICE, CPU_ONLY, ONNXRUNTIME, TAIL
from semseg_contract.transforms import Preparation

from ..conversion.tail import tail_of
from ..errors import DisagreementError, EngineError, ExportError
from ..paddle_process import run_module
from ..synthetic_images import smooth_pixels
from . import parity

OPENVINO = "openvino"
AHEAD = (
    0.95  # of ONNX Runtime's time. OpenVINO takes more memory, so it must be worth that; and two runs differ by some hundredths.
)
TIMED = (1, 512, 1024)


@dataclass(frozen=True)
class Choice:
    """The engine to serve with, and the figures behind it: docs/contract.md, parameter `engine`."""

    name: str
    tail: ModelProto | None
    record: dict[str, Any] | None
    told: str


STAYS = Choice(ONNXRUNTIME, None, None, "ONNX Runtime")


def choose(
    model: ModelProto,
    cpu_model: ModelProto | None,
    preparation: Preparation,
    limit: int,
    agreement: float,
    workspace: Path,
    *,
    forced: bool = False,
) -> Choice:
    """The engine for a network that `parity.measure` has compared with Paddle in `workspace`.

    OpenVINO, if it takes clearly less time here and agrees with Paddle on at least `agreement` of the pixels. With `forced`, it
    may be slower. Then raises EngineError if it cannot run the network, and DisagreementError if it disagrees.
    """
    try:
        found = _tried(model, cpu_model, preparation, limit, agreement, workspace)
    except (EngineError, DisagreementError) as error:
        if forced:
            raise
        return Choice(ONNXRUNTIME, None, None, f"ONNX Runtime, because {error}")
    taken = f"{found.ratio:.2f} of ONNX Runtime's {found.milliseconds[ONNXRUNTIME]:.0f} ms for {found.size}"
    if not forced and found.ratio > AHEAD:
        return Choice(ONNXRUNTIME, None, found.record(ONNXRUNTIME), f"ONNX Runtime: OpenVINO takes {taken}")
    return Choice(OPENVINO, found.tail, found.record(OPENVINO), f"OpenVINO: it takes {taken}")


@dataclass(frozen=True)
class _Tried:
    tail: ModelProto
    agreement: float
    milliseconds: dict[str, float]
    size: str
    threads: int

    @property
    def ratio(self) -> float:
        return self.milliseconds[OPENVINO] / self.milliseconds[ONNXRUNTIME]

    def record(self, name: str) -> dict[str, Any]:
        versions = {ONNXRUNTIME: version("onnxruntime"), OPENVINO: version("openvino")}
        figures = {"milliseconds": self.milliseconds, "size": self.size, "threads": self.threads, "agreement": self.agreement}
        return {"name": name, "versions": versions, **figures}


def _tried(
    model: ModelProto, cpu_model: ModelProto | None, preparation: Preparation, limit: int, agreement: float, workspace: Path
) -> _Tried:
    if cpu_model is None:
        raise EngineError("OpenVINO runs only networks that end by upsampling their logits, and this one does not")
    try:
        version("openvino")
    except PackageNotFoundError:
        raise EngineError("OpenVINO is not installed here: pip install paddle-semseg-export[openvino]") from None
    folder = workspace / "engine"
    folder.mkdir()
    tail = tail_of(cpu_model)
    for name, each in ((ANY_DEVICE, model), (CPU_ONLY, cpu_model), (TAIL, tail)):
        (folder / name).write_bytes(each.SerializeToString())
    (shape,) = parity.possible([TIMED], preparation, 1, limit)[:1]
    np.save(folder / "timed.npy", smooth_pixels(0, shape))
    images = parity.pixels_of(workspace)
    try:
        run_module("semseg_export.workers.engine_trial", [folder, *images], "running the network on OpenVINO")
    except ExportError as error:
        raise EngineError(str(error), error.detail) from error
    agreements = parity.recompared((np.load(folder / f"ids_{number}.npy") for number in range(len(images))), workspace)
    parity.require(agreements, agreement, what="the network on OpenVINO")
    found = json.loads((folder / "found.json").read_text())
    return _Tried(tail, parity.lowest(agreements), size=f"{shape[2]}x{shape[1]}", **found)
