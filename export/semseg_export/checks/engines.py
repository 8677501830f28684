"""Chooses the engine that runs a network on a CPU. Another than ONNX Runtime must give Paddle's classes, in less time."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from semseg_contract.engine import FILES, MNN, MNN_PRECISE, OPENVINO
from semseg_contract.names import ANY_DEVICE, CPU_ONLY, ONNXRUNTIME, TAIL
from semseg_contract.transforms import Preparation

from ..conversion.tail import tail_of
from ..errors import DisagreementError, EngineError, ExportError
from ..paddle_process import run_module
from ..synthetic_images import smooth_pixels
from . import parity

AHEAD = 0.9  # of ONNX Runtime's time, at most. The others take more memory, so they must be worth that; and two runs differ.
TIMED = (1, 512, 1024)

_NAMES = {OPENVINO: "OpenVINO", MNN: "MNN", MNN_PRECISE: "precise MNN"}
_PACKAGES = {OPENVINO: "openvino", MNN: "MNN", MNN_PRECISE: "MNN"}


@dataclass(frozen=True)
class Choice:
    """The engine to serve with, the files that it needs besides the network's, and the figures: docs/contract.md, parameter
    `engine`."""

    name: str
    told: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    record: dict[str, Any] | None = None


STAYS = Choice(ONNXRUNTIME, "ONNX Runtime")


@dataclass(frozen=True)
class _Trial:
    """One engine on one network. `seconds` are the medians for one image of `size`; `agreement` is None if it was too slow to be
    compared."""

    engine: str
    seconds: float
    of_onnxruntime: float
    size: str
    threads: int
    agreement: float | None
    files: Mapping[str, bytes]
    refusal: str = ""  # why it must not be used

    @property
    def ratio(self) -> float:
        return self.seconds / self.of_onnxruntime

    def __str__(self) -> str:
        return f"{self.ratio:.2f} of ONNX Runtime's {self.of_onnxruntime * 1e3:.0f} ms for {self.size}"


def choose(
    model: ModelProto,
    cpu_model: ModelProto | None,
    preparation: Preparation,
    limit: int,
    agreement: float,
    workspace: Path,
    asked: str | None = None,
) -> Choice:
    """The engine for a network that `parity.measure` has compared with Paddle in `workspace`.

    The fastest here that agrees with Paddle on at least `agreement` of the pixels. If one is `asked` for, that, even if it is
    slower: then raises EngineError if it cannot run the network, and DisagreementError if it disagrees.
    """
    try:
        bench = _Bench(model, cpu_model, preparation, limit, agreement, workspace)
    except EngineError as error:
        if asked is not None:
            raise
        return Choice(ONNXRUNTIME, f"ONNX Runtime: {error}")
    if asked is not None:
        trial = bench.tried(asked, math.inf)
        if trial.refusal:
            raise DisagreementError(trial.refusal)
        return Choice(asked, f"{_NAMES[asked]}: it takes {trial}", trial.files, _record(asked, [trial]))
    trials, told = [], []
    engines = [OPENVINO, MNN]
    for engine in engines:
        try:
            trial = bench.tried(engine, AHEAD)
        except EngineError as error:
            told.append(str(error))
            continue
        trials.append(trial)
        told.append(f"{_NAMES[engine]} does not give Paddle's classes" if trial.refusal else f"{_NAMES[engine]} takes {trial}")
        if engine == MNN and trial.refusal:
            engines.append(MNN_PRECISE)
    good = [trial for trial in trials if trial.ratio <= AHEAD and not trial.refusal]
    if not good:
        return Choice(ONNXRUNTIME, f"ONNX Runtime: {'; '.join(told)}", record=_record(ONNXRUNTIME, trials))
    best = min(good, key=lambda trial: trial.ratio)
    return Choice(best.engine, f"{_NAMES[best.engine]}: it takes {best}", best.files, _record(best.engine, trials))


def _record(name: str, trials: list[_Trial]) -> dict[str, Any] | None:
    if not trials:
        return None
    tried = {
        trial.engine: {
            "version": version(_PACKAGES[trial.engine]),
            "milliseconds": round(trial.seconds * 1e3, 2),
            "onnxruntime_milliseconds": round(trial.of_onnxruntime * 1e3, 2),
            "agreement": trial.agreement,
        }
        for trial in trials
    }
    return {
        "name": name,
        "size": trials[0].size,
        "threads": trials[0].threads,
        "onnxruntime_version": version("onnxruntime"),
        "tried": tried,
    }


class _Bench:
    """Tries engines on a network, each in a process of its own."""

    def __init__(
        self,
        model: ModelProto,
        cpu_model: ModelProto | None,
        preparation: Preparation,
        limit: int,
        agreement: float,
        workspace: Path,
    ) -> None:
        if cpu_model is None:
            raise EngineError("only networks that end by upsampling their logits run on other engines, and this one does not")
        self._agreement, self._workspace = agreement, workspace
        self._folder = workspace / "engine"
        self._folder.mkdir()
        for name, each in ((ANY_DEVICE, model), (CPU_ONLY, cpu_model), (TAIL, tail_of(cpu_model))):
            (self._folder / name).write_bytes(each.SerializeToString())
        self._shape = parity.possible([TIMED], preparation, 1, limit)[0]
        np.save(self._folder / "timed.npy", smooth_pixels(0, self._shape))

    def tried(self, engine: str, ahead: float) -> _Trial:
        """It is compared with Paddle only if it takes at most `ahead` of ONNX Runtime's time. Raises EngineError."""
        name = _NAMES[engine]
        try:
            version(_PACKAGES[engine])
        except PackageNotFoundError:
            raise EngineError(f"{name} is not installed here: pip install paddle-semseg-export[engines]") from None
        images = parity.pixels_of(self._workspace)
        try:
            run_module(
                "semseg_export.workers.engine_trial",
                [self._folder, engine, str(ahead), *images],
                f"running the network on {name}",
            )
        except ExportError as error:
            raise EngineError(str(error), error.detail) from error
        found = json.loads((self._folder / "found.json").read_text())
        agreement, refusal = None, ""
        if found.pop("compared"):
            ids = (np.load(self._folder / f"ids_{number}.npy") for number in range(len(images)))
            agreements = parity.recompared(ids, self._workspace)
            agreement = parity.lowest(agreements)
            try:
                parity.require(agreements, self._agreement, what=f"the network on {name}")
            except DisagreementError as error:
                refusal = str(error)
        files = {each: (self._folder / each).read_bytes() for each in {TAIL, FILES[engine]} - {ANY_DEVICE}}
        size = f"{self._shape[2]}x{self._shape[1]}"
        return _Trial(engine, size=size, agreement=agreement, files=files, refusal=refusal, **found)
