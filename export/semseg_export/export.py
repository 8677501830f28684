"""The export: from a network's weights to an installed version of a served model."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from onnx import ModelProto
from rich.markup import escape
from tritonclient.grpc.model_config_pb2 import ModelConfig

from semseg_contract.limits import MEGAPIXEL
from semseg_contract.names import ANY_DEVICE, CONFIG, CPU_ONLY, network_of, plain_name
from semseg_contract.paddle_files import ONNX
from semseg_contract.palette import palette
from semseg_contract.record import Memory, ModelRecord
from semseg_contract.transforms import Preparation, ToFloat

from .checks import engines, memory, parity, sizes
from .checks.engines import Choice
from .checks.parity import Agreement
from .conversion import convert, graph
from .conversion.cpu_layout import laid_out
from .conversion.graph import Served
from .images import Images, for_calibration, for_comparison, preparing
from .install import repository
from .install.configuration import network_config
from .options import Engine, ExportOptions, Precision, Request
from .precision import fidelity, lowering
from .precision.fidelity import Fidelity
from .precision.lowering import Lowered
from .progress import Step
from .weights import classes, locate, zoo
from .weights.archive import PADDLE
from .weights.locate import Weights


class Reporter(Protocol):
    """Receives the progress of an export."""

    def step(self, title: str) -> AbstractContextManager[Step]: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None:
        """Show what the user should know, plain text."""

    def agreement(self, agreements: list[Agreement], runner: str) -> None:
        """Show how well the network agrees with what `runner` computes."""

    def fidelity(self, fidelity: Fidelity, precision: str) -> None:
        """Show how well the network in `precision` agrees with its fp32 version."""


@dataclass(frozen=True)
class Installed:
    """The version now served. `agreement` is the lowest share of pixels in any comparison, 0 to 1, that match Paddle."""

    name: str
    version: int
    agreement: float


@dataclass(frozen=True)
class _Network:
    """The served graphs, pixels to uint8 ids: one for any device and, for some networks, a faster one for the CPU."""

    served: Served
    model: ModelProto
    cpu_model: ModelProto | None
    class_names: list[str]
    preparation: Preparation
    engine: Choice = engines.STAYS

    def files(self) -> dict[str, bytes]:
        models = {ANY_DEVICE: self.model, CPU_ONLY: self.cpu_model}
        return {name: model.SerializeToString() for name, model in models.items() if model is not None} | dict(self.engine.files)


def export(request: Request, options: ExportOptions, reporter: Reporter) -> Installed:
    """Convert the network, compare it with Paddle, and install it for Triton. Raises ExportError, OSError."""
    model = plain_name(request.model)
    name = _served_name(model, request, options.precision)
    repository.check_name(name)
    if model != request.model:
        reporter.note(f'"(slice)" is not part of the name: exporting {escape(model)}')
    calibration = None if options.calibration is None else for_calibration(options.calibration)
    images = None if options.images is None else for_comparison(options.images)
    with TemporaryDirectory(prefix="semseg-export-") as folder:
        workspace = Path(folder)
        weights = _locate(model, request, workspace, reporter)
        network = _convert(model, request, weights, workspace, reporter)
        # First, so that nothing larger than it allows is compared.
        served, measured, limit = _measure(name, network, workspace, options, reporter)
        agreements = _compare(network, weights, images, limit, workspace, options, reporter)
        lowered = None
        if options.precision is not Precision.FP32:
            lowered = _lower(network, calibration, limit, workspace, options, reporter)
            network = replace(network, model=lowered.model, cpu_model=lowered.cpu_model)
            served, measured, limit = _measure(name, network, workspace, options, reporter)
        network = replace(network, engine=_choose_engine(name, network, limit, workspace, options, reporter))
        if network.engine.files:
            served, measured, limit = _measure(name, network, workspace, options, reporter)
        files = network.files()
        record = _record(request, weights, network, agreements, lowered, measured, limit, options)
        with reporter.step("Installation") as step:
            batch = network.served.max_batch_size
            number = repository.install(options.repository, name, files, record, options.placement, batch)
            file = options.repository / network_of(name) / str(number) / served
            step.done = f"{file}, {len(files[served]) / 1e6:.1f} MB"
    return Installed(name, number, parity.lowest(agreements))


def _served_name(model: str, request: Request, precision: Precision) -> str:
    """The model's name, with the precision appended unless it is fp32 or the request names an architecture."""
    return model if request.architecture or precision is Precision.FP32 else f"{model}-{precision.value}"


def _locate(model: str, request: Request, workspace: Path, reporter: Reporter) -> Weights:
    with reporter.step("Weights") as step:
        weights = locate.find(model, request.weights, workspace, step, request.architecture)
        described = weights.described_by
        pixels = (
            f"pixels prepared as in {described}"
            if described
            else "pixels prepared as for PaddleX's own network, because no file says how"
        )
        step.done = f"{weights.source} (SHA-256 {weights.sha256[:12]}…), {pixels}"
    for note in weights.archive.notes:
        reporter.warn(note)
    return weights


def _convert(model: str, request: Request, weights: Weights, workspace: Path, reporter: Reporter) -> _Network:
    archive = weights.archive
    with reporter.step("Conversion") as step:
        converted = convert.to_onnx(archive, workspace)
        how = "as it is" if archive.program.suffix == ONNX else "to ONNX"
        step.done = f"{archive.program.name} {how}, {len(converted.graph.node)} nodes"
    with reporter.step("Graph") as step:
        floats = ToFloat() in archive.steps
        probe = sizes.probe(archive)
        served = graph.served_graph(converted, archive.normalisation, floats=floats, threshold=request.threshold, probe=probe)
        served, preparation, notes = sizes.fitted(served, archive)
        count = served.scores.classes
        trained_as = model if request.weights or not request.architecture else request.architecture
        given = request.classes or archive.classes
        names = classes.class_names(trained_as, count, given, archive.labels)
        notes += classes.misfit(count, given, archive.labels, archive.described_by.name)
        kind, told = "float32" if floats else "uint8", classes.told(given, names)
        step.done = f"{kind} pixels to uint8 ids, {count} classes{told}, {len(served.model.graph.node)} nodes"
    data_set = None if request.weights else zoo.data_set(model)
    if data_set is not None and len(data_set.classes) != count:
        notes += (f"{model} has {len(data_set.classes)} classes, but this network has {count}: is it another one's archive?",)
    for note in (*served.scores.notes, *notes):
        reporter.warn(note)
    return _Network(served, served.model, laid_out(served.model), names, preparation)


def _compare(
    network: _Network,
    weights: Weights,
    images: Images | None,
    limit: int,
    workspace: Path,
    options: ExportOptions,
    reporter: Reporter,
) -> list[Agreement]:
    archive, preparation = weights.archive, network.preparation
    runner = parity.called(archive)
    with reporter.step("Comparison") as step:
        read = [] if images is None else list(images.read(preparing(preparation, options.repository, limit)))
        agreements = parity.measure(network.served, archive, preparation, workspace, network.cpu_model, read, limit)
        step.done = f"at least {parity.lowest(agreements):.4%} of pixels match {runner}"
    reporter.agreement(agreements, runner)
    parity.require(agreements, options.agreement, runner)
    if archive.runner != PADDLE:
        reporter.warn(f"not compared with Paddle, because its program is not beside {archive.program.name}")
    if parity.uniform(agreements):
        reporter.warn(
            f"{runner} sees a single class in every image of the comparison, so only the logits prove that the exported network"
            " is the same. Pass a folder of your own images with IMAGES= (--images)"
        )
    return agreements


def _lower(
    network: _Network,
    images: tuple[Images, Images] | None,
    limit: int,
    workspace: Path,
    options: ExportOptions,
    reporter: Reporter,
) -> Lowered:
    """The network in int8, quantised with `images`, or in fp16 if `images` is None."""
    precision = options.precision.value
    with reporter.step("Precision") as step:
        if images is None:
            shapes = parity.possible(parity.SHAPES, network.preparation, network.served.max_batch_size, limit)
            lowered = lowering.to_half(network.model, shapes)
        else:
            prepare = preparing(network.preparation, options.repository, limit)
            lowered = lowering.to_int8(network.model, images, prepare, workspace, step)
        step.done = f"{precision}, {lowered.fidelity.equal:.4%} of pixels match fp32"
    reporter.fidelity(lowered.fidelity, precision)
    if not options.force:
        fidelity.require(lowered.fidelity, precision)
    return lowered


def _choose_engine(
    name: str, network: _Network, limit: int, workspace: Path, options: ExportOptions, reporter: Reporter
) -> Choice:
    """The engine for a network in fp32 that is served on a CPU. All others run on ONNX Runtime."""
    on_cpu = _served_file(name, network.files(), options) == CPU_ONLY or network.cpu_model is None
    asked = options.engine if on_cpu and options.precision is Precision.FP32 else Engine.ONNXRUNTIME
    if asked is Engine.ONNXRUNTIME:
        return engines.STAYS
    with reporter.step("Engine") as step:
        choice = engines.choose(
            network.model,
            network.cpu_model,
            network.preparation,
            limit,
            options.agreement,
            workspace,
            None if asked is Engine.AUTO else asked.value,
        )
        step.done = choice.told
    return choice


def _served_file(name: str, files: dict[str, bytes], options: ExportOptions) -> str:
    """The file that Triton will load. If the owner configured one not in `files`, `model.onnx`, which takes as much memory."""
    present = options.repository / network_of(name) / CONFIG
    ensemble = ModelConfig(name=name)
    chosen = network_config(ensemble, 1, files, options.placement, present).default_model_filename
    return chosen if chosen in files else ANY_DEVICE


def _measure(
    name: str, network: _Network, workspace: Path, options: ExportOptions, reporter: Reporter
) -> tuple[str, Memory, int]:
    """The file that Triton will load, its memory use, and the largest image that the memory limit allows, in megapixels."""
    with reporter.step("Memory") as step:
        files = network.files()
        served = _served_file(name, files, options)
        measured = memory.measure(files[served], workspace, network.preparation)
        if network.engine.files:
            parts = memory.measure_parts(files, network.engine.name, workspace, network.preparation)
            measured = memory.larger(measured, parts)
        limit = memory.limit(measured, options.memory * 1e9, network.preparation)
        fixed = network.preparation.fixed
        step.done = (
            f"{measured.slope / 1e9:.2g} GB per megapixel: {options.memory:g} GB allow images of up to {limit} megapixels"
            if fixed is None
            else f"{measured.at(1) / 1e9:.2g} GB for images of {fixed[0]}x{fixed[1]}"
        )
    return served, measured, limit


def _record(
    request: Request,
    weights: Weights,
    network: _Network,
    agreements: list[Agreement],
    lowered: Lowered | None,
    measured: Memory,
    limit: int,
    options: ExportOptions,
) -> ModelRecord:
    return ModelRecord(
        class_names=tuple(network.class_names),
        palette=palette(len(network.class_names)),
        max_pixels=limit * MEGAPIXEL,
        memory=measured,
        source=weights.source,
        source_sha256=weights.sha256,
        converter=None if weights.archive.program.suffix == ONNX else f"paddle2onnx {version('paddle2onnx')}",
        exported_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        reference=parity.called(weights.archive),
        agreement=parity.lowest(agreements) if weights.archive.runner == PADDLE else None,
        comparison=[asdict(each) for each in agreements],
        precision=options.precision.value,
        fidelity=None if lowered is None else asdict(lowered.fidelity),
        calibration=None if lowered is None else lowered.calibration,
        engine=network.engine.record,
        preparation=None if network.preparation == Preparation() else network.preparation,
        folder_sha256=request.folder_sha256,
    )
