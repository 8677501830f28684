"""`python -m bench.engines`, or `make bench-engines`: the cores of networks on several engines, in turns on one machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from semseg_contract.engine import LOGITS, SIZES
from semseg_contract.engine import sizes as sizes_for
from semseg_contract.names import network_of

from .. import report
from ..machine import Machine, this_machine
from ..models import DEMO, Missing, Model
from ..places import EXPORTING, HOME, PERFORMANCE, REPOSITORY, RESULTS, ROOT
from ..publication import between
from ..quantiles import median
from .runner import ENGINES

MODELS = ("PP-LiteSeg-T", "PP-LiteSeg-B", "OCRNet_HRNet-W18", "Deeplabv3_Plus-R50", "SegFormer-B0", "SeaFormer_tiny", DEMO)
OF_IMAGES = ("512x1024", "1024x2048")
INSTRUCTIONS = ("native", "avx2")
BASE = "onnxruntime"
PLACE = HOME / "engines"
PYTHON = PLACE / "bin" / "python"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True, markup=False)


@dataclass
class Measured:
    """One engine on one network: seconds of the first run at the size and of each further one, and the share of Paddle's ids."""

    model: str
    size: str
    threads: int
    instructions: str
    engine: str
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    peak: int = 0  # bytes
    equal: float = 0.0
    failure: str = ""


class Child:
    """An engine in a process of its own."""

    def __init__(self, engine: str, folder: Path, threads: int, instructions: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1"}
        if instructions == "avx2":
            environment["LD_PRELOAD"] = str(PLACE / "avx2.so")
        self._process = subprocess.Popen(
            [PYTHON, "-m", "bench.engines.runner", engine, folder, str(threads)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.failure = self._line().removeprefix("ready")

    def run(self, tensor: Path, output: Path | None) -> tuple[float, int]:
        """Seconds and the peak memory; after a failure, 0 and 0."""
        if not self.failure and self._process.stdin is not None:
            try:
                print(json.dumps({"input": str(tensor), "output": output and str(output)}), file=self._process.stdin, flush=True)
                milliseconds, peak = json.loads(self._line())
            except (OSError, ValueError):
                self.failure = f"ended with exit code {self._process.wait()}"
            else:
                return milliseconds / 1e3, peak
        return 0.0, 0

    def _line(self) -> str:
        told = self._process.stdout.readline() if self._process.stdout is not None else ""
        return told.strip() or "it ended at once"

    def end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()


@app.command()
def engines(
    model_names: Annotated[str, typer.Option("--models", help="Networks.")] = ",".join(MODELS),
    sizes: Annotated[str, typer.Option(help="Height x width of the image.")] = ",".join(OF_IMAGES),
    threads: Annotated[str, typer.Option(help="Numbers of threads.")] = "1,2",
    instructions: Annotated[str, typer.Option(help="native, or avx2, which hides AVX-512 from the engines.")] = ",".join(
        INSTRUCTIONS
    ),
    chosen: Annotated[str, typer.Option("--engines", help="Engines, besides ONNX Runtime.")] = ",".join(ENGINES),
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each engine, after its first.")] = 5,
    docs: Annotated[bool, typer.Option("--docs", help="Also write the tables into docs/performance.md.")] = False,
    earlier: Annotated[list[Path] | None, typer.Option("--from", help="Only write the tables of these earlier results.")] = None,
) -> None:
    """Measure what runs before the upsampling of the logits: ONNX Runtime, OpenVINO, MNN and ncnn, interleaved."""
    if earlier:
        runs = [_read(file) for file in earlier]
    else:
        machine = this_machine("bench-engines")
        names = list(dict.fromkeys([BASE, *chosen.split(",")]))
        cases = product(model_names.split(","), instructions.split(","), map(int, threads.split(",")))
        measured = [each for case in cases for each in _measure(*case, sizes.split(","), names, rounds)]
        RESULTS.mkdir(parents=True, exist_ok=True)
        file = RESULTS / f"engines-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}.json"
        file.write_text(json.dumps({"machine": asdict(machine), "measured": [asdict(each) for each in measured]}))
        console.print(f"Written: {file}")
        runs = [(machine, measured)]
    text = "\n\n".join(_text(machine, measured) for machine, measured in runs)
    console.print(text)
    if docs:
        between(PERFORMANCE, "bench-engines", text)


def _read(file: Path) -> tuple[Machine, list[Measured]]:
    told = json.loads(file.read_text())
    return Machine(**told["machine"]), [Measured(**each) for each in told["measured"]]


def _measure(
    name: str, instructions: str, threads: int, sizes: Sequence[str], engines: Sequence[str], rounds: int
) -> Iterator[Measured]:
    try:
        folder = _prepared(name, sizes, instructions)
    except Missing as error:
        console.print(f"{name}, {instructions}: {error}")
        return
    children = {engine: Child(engine, folder, threads, instructions) for engine in engines}
    try:
        for size in sizes:
            tensor = folder / f"input-{size}.npy"
            found = {engine: Measured(name, size, threads, instructions, engine) for engine in engines}
            for engine, child in children.items():
                found[engine].first, _ = child.run(tensor, folder / f"{engine}.npy")
            for engine, child in [*children.items()] * rounds:
                seconds, found[engine].peak = child.run(tensor, None)
                found[engine].seconds.append(seconds)
            for engine, child in children.items():
                found[engine].failure = child.failure
                if not child.failure:
                    found[engine].equal = _equal(folder, engine, size)
            console.print("; ".join(_line(found[BASE], each) for each in found.values()))
            yield from found.values()
    finally:
        for child in children.values():
            child.end()


def _line(base: Measured, each: Measured) -> str:
    if each.failure:
        return f"{each.engine}: {each.failure}"
    head = f"{each.model} {each.size}, {each.threads} threads, {each.instructions}: " if each is base else ""
    return f"{head}{each.engine} {median(each.seconds) * 1e3:.0f} ms ({_ratio(base, each)})"


def _ratio(base: Measured, each: Measured) -> str:
    ratios = [one / other for one, other in zip(each.seconds, base.seconds, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _prepared(name: str, sizes: Sequence[str], instructions: str) -> Path:
    """The folder with the network's parts. Raises Missing."""
    if instructions == "avx2" and not (PLACE / "avx2.so").exists():
        compiler = shutil.which("gcc")
        if compiler is None:
            raise Missing("not measured: there is no gcc to compile bench/engines/avx2.c")
        source = ROOT / "bench" / "engines" / "avx2.c"
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", PLACE / "avx2.so", source], check=True)
    model, folder = Model(name), PLACE / "networks" / name
    if not all((folder / f"input-{size}.npy").exists() for size in sizes) or not (folder / "core.onnx").exists():
        model.prepare()
        [network] = (REPOSITORY / network_of(name)).glob("[0-9]*")
        image = ROOT / "demo" / "images" / "street.jpg"
        command: list[str | Path] = [
            EXPORTING / "bin" / "python",
            "-m",
            "bench.engines.split",
            network,
            model.weights,
            folder,
            image,
        ]
        done = subprocess.run([*command, *sizes], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(done.stderr.strip().splitlines()[-1])
    return folder


def _equal(folder: Path, engine: str, size: str) -> float:
    """The share of pixels that have Paddle's class."""
    import onnxruntime as ort

    logits, wanted = np.load(folder / f"{engine}.npy"), np.load(folder / "paddle" / f"pixels-{size}.npy")
    tail = ort.InferenceSession(folder / "tail.onnx", providers=["CPUExecutionProvider"])
    ids = tail.run(None, {LOGITS: logits, SIZES: sizes_for(wanted, logits)})[0]
    return float((ids == wanted).mean())


def _text(machine: Machine, measured: Sequence[Measured]) -> str:
    parts = [report.described(machine).strip()]
    groups: dict[tuple[str, int], dict[tuple[str, str], dict[str, Measured]]] = defaultdict(lambda: defaultdict(dict))
    for each in measured:
        groups[each.instructions, each.threads][each.model, each.size][each.engine] = each
    for (instructions, threads), rows in groups.items():
        names = list(dict.fromkeys(engine for row in rows.values() for engine in row))
        others = [name for name in names if name != BASE]
        kind = "all instructions of the processor" if instructions == "native" else "without AVX-512"
        heading = ["network", "size", f"{BASE} ms", *others]
        table = [
            [model, size, f"{median(row[BASE].seconds) * 1e3:.1f}", *(_cell(row[BASE], row.get(name)) for name in others)]
            for (model, size), row in rows.items()
        ]
        parts += [f"Time, {threads} thread{'s' * (threads > 1)}, {kind}:", "\n".join(report.table(heading, table))]
    first = next(iter(groups.values()))
    heading = ["network", "size", "engine", "first ms", "then ms", "peak MB", "as Paddle"]
    table = [
        [
            m.model,
            m.size,
            m.engine,
            f"{m.first * 1e3:.0f}",
            f"{median(m.seconds) * 1e3:.0f}",
            f"{m.peak / 1e6:.0f}" if m.peak else "",
            f"{m.equal:.4%}",
        ]
        for row in first.values()
        for m in row.values()
        if not m.failure
    ]
    (instructions, threads), *_ = groups
    parts += [f"The first run at a size, the process's peak memory, and equal classes ({threads} threads, {instructions}):"]
    parts += ["\n".join(report.table(heading, table))]
    return "\n\n".join(parts)


def _cell(base: Measured, each: Measured | None) -> str:
    if each is None:
        return ""
    return each.failure or _ratio(base, each)


if __name__ == "__main__":
    app(prog_name="make bench-engines")
