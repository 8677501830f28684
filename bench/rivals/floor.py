"""The floor: the bare network, in process, with no image to decode and no client to answer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..load import Plan, Window
from ..models import Model
from ..places import ROOT, SERVING
from ..processes import Tree
from .rival import Failed, LabelMap, Server


class Floor(Server):
    """`arrangement` is sessions x threads: `1x2` is one session with two threads."""

    same_file = True
    kind = "floor"

    def __init__(self, model: Model, arrangement: str) -> None:
        self.name = f"{self.kind}-{arrangement}"
        super().__init__(model)
        self._arrangement = arrangement.split("x")

    @property
    def network(self) -> Path:
        """The ONNX file that our server runs."""
        return self.model.onnx

    def launch(self) -> Tree:
        command: list[str | Path] = [SERVING / "bin" / "python", "-m", "bench.rivals.floor_loop", self.network]
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return Tree([*command, *self._arrangement], {"PYTHONPATH": path, "ORT_DISABLE_TELEMETRY": "1"}, self.log, talks=True)

    def ready(self) -> bool:
        return self.tree.ask("") == "ready\n"

    def load(self, route: str, files: Sequence[Path], clients: int, plan: Plan) -> tuple[Window, dict[int, LabelMap]]:  # noqa: ARG002
        with TemporaryDirectory(prefix="bench-") as out:
            asked = {"files": [str(file) for file in files], "clients": clients, "out": out}
            answer = self.tree.ask(json.dumps({**asked, "seconds": plan.seconds, "answers": plan.answers}))
            if not answer:
                raise Failed(f"it ended: {self.tree.last_words()}")
            window = Window(**json.loads(answer))
            maps = {int(file.stem): np.load(file) for file in Path(out).glob("*.npy")}
        return window, maps


class Plain(Floor):
    """The same with the graph for any device, whose tail is not laid out for the CPU."""

    kind = "plain"

    @property
    def network(self) -> Path:
        return self.model.any_device


def arrangements() -> list[str]:
    """The ways to divide the cores among sessions."""
    cores = len(os.sched_getaffinity(0))
    return list(dict.fromkeys([f"1x{cores}", f"{cores}x1"]))
