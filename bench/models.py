"""The measured networks: weights that all rivals share, and our export of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semseg_contract.names import SHARED, network_of

from .places import EXPORTING, HOME, REPOSITORY, ROOT

DEMO = "PP-LiteSeg-Demo"
DEFAULT = ("PP-LiteSeg-T", "SegFormer-B0", "SeaFormer_tiny", DEMO)
PRECISIONS = ("int8", "fp16")


class Missing(Exception):
    """A model is unavailable; the message says what to do."""


@dataclass(frozen=True)
class Model:
    """A served model. Its name is a network's, possibly with `-int8` or `-fp16` at the end.

    Its weights are seeded random numbers: they run as long as the official ones, which are large and not always available.
    """

    name: str

    @property
    def network(self) -> str:
        base, _, last = self.name.rpartition("-")
        return base if last in PRECISIONS else self.name

    @property
    def paddlex_name(self) -> str:
        """The network's name in PaddleX, which knows only the demo network's family."""
        return "PP-LiteSeg-T" if self.network == DEMO else self.network

    @property
    def weights(self) -> Path:
        """Paddle's inference.json, inference.pdiparams and inference.yml."""
        return HOME / "weights" / self.network

    @property
    def onnx(self) -> Path:
        """The network that our server runs, laid out for the CPU where possible."""
        found = sorted((REPOSITORY / network_of(self.name)).glob("*/model*.onnx"))
        return next((file for file in found if file.name == "model_cpu.onnx"), found[0])

    @property
    def any_device(self) -> Path:
        """The same network for any device, as converted."""
        return self.onnx.with_name("model.onnx")

    def prepare(self) -> None:
        """Write the weights and the exported model, unless they exist and are up to date.

        Raises:
            Missing: a step failed, or a model of another precision was not exported.
        """
        self._prepare_weights()
        for shared in SHARED:
            shutil.rmtree(REPOSITORY / shared, ignore_errors=True)
            shutil.copytree(ROOT / "model_repository" / shared, REPOSITORY / shared)
        if self.name == self.network:
            export(self.name, self.weights)
        else:
            self._copy()

    def _prepare_weights(self) -> None:
        if self.weights.exists():
            return
        if self.network != DEMO:
            _run("-m", "tests.networks", self.weights, "--network", self.network)
            return
        shutil.copytree(ROOT / "demo" / DEMO, self.weights)
        description = self.weights / "inference.yml"
        description.write_text(description.read_text().replace(f"model_name: {DEMO}", f"model_name: {self.paddlex_name}"))

    def _copy(self) -> None:
        """Copy the model that `make export` wrote: the options of its quantisation are the user's choice."""
        source = ROOT / "model_repository"
        if not (source / self.name).exists():
            precision = self.name.rpartition("-")[2]
            raise Missing(
                f"{self.name} is not exported: make export MODEL={self.network} NAME={self.name} PRECISION={precision} "
                f"WEIGHTS={self.weights.relative_to(ROOT)}"
            )
        for folder in (self.name, network_of(self.name)):
            shutil.rmtree(REPOSITORY / folder, ignore_errors=True)
            shutil.copytree(source / folder, REPOSITORY / folder)


def export(name: str, weights: Path) -> None:
    """Export with `semseg-export` into the benchmark's own repository, as version 1.

    Raises:
        Missing: it failed.
    """
    stamp = REPOSITORY / f".{name}"
    state = _digest([*sorted((ROOT / "export").rglob("*.py")), *sorted(weights.iterdir())])
    if stamp.exists() and stamp.read_text() == state:
        return
    for folder in (name, network_of(name)):
        shutil.rmtree(REPOSITORY / folder, ignore_errors=True)
    _run("-c", "from semseg_export.cli import main; main()", name, "--weights", weights, "--repository", REPOSITORY)
    stamp.write_text(state)


def _run(*arguments: str | Path) -> None:
    command = [EXPORTING / "bin" / "python", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise Missing(f"{' '.join(map(str, arguments[:3]))} failed: {' | '.join(told)}")


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
