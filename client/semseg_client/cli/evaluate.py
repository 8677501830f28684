"""`semseg eval`: measures a model on a data set with ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from semseg_contract.official import PUBLISHED

from ..errors import SemsegError, ServingError, UnwritableOutput
from ..files import AppendedLines, write_whole
from ..inputs.sieve import RECORD
from ..pipeline.config import PIPELINE
from ..pipeline.pipeline import Pipeline, create_pipeline
from ..triton.protocol import TargetSize
from . import options
from . import run as batch

if TYPE_CHECKING:
    from ..evaluation.confusion import Counts, Measures
    from ..evaluation.datasets import DataSet, Sample
    from ..evaluation.journal import Journal

WORST = 20  # images on the contact sheet

_EXAMPLES = """
[bold]Examples[/]

semseg eval cityscapes --model PP-LiteSeg-T                     [dim]leftImg8bit/val against gtFine/val[/]

semseg eval data/val.txt --model mine --at-least 0.73           [dim]PaddleSeg's list; for CI: exit code 1 below that mIoU[/]

"""

EPILOG = _EXAMPLES + (
    "Exit codes: 0 measured; 1 an image failed, the mIoU is below --at-least, or something else failed (see the message);"
    " 2 invalid command line; 130 interrupted (Ctrl-C); 143 terminated (SIGTERM)."
)


@dataclass
class _Tally:
    """The sum over all images, and each image's share of right pixels."""

    matrix: Counts
    images: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, sample: Sample, matrix: Counts) -> None:
        self.matrix += matrix
        self.images[sample.name] = float(matrix.trace() / max(matrix.sum(), 1))


def evaluate(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="Folder in the layout of Cityscapes, ADE20K or PaddleSeg (val.txt), or such a list.",
            show_default=False,
        ),
    ],
    model: options.Model = None,
    pipeline: options.PipelineFile = None,
    url: options.Url = None,
    model_repository: options.ModelRepository = None,
    device: options.Device = None,
    target_size: options.TargetSize = None,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 1 if the mIoU is lower.", show_default=False)
    ] = None,
    save_path: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the report.")] = Path("evaluation"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip images already done with the same model and options, if they are unchanged.")
    ] = False,
    jobs: options.Jobs = None,
) -> None:
    """Measure a model on a data set: mIoU, accuracy, kappa and Dice, over all pixels and by class.

    Saves evaluation.json, classes.csv, confusion.png and worst.jpg, the images with the fewest right pixels.
    """
    batch.check_packages()
    from ..evaluation.confusion import measures
    from ..evaluation.datasets import data_set

    with batch.ended_in_a_line("semseg eval --resume"), ExitStack() as held:
        found = data_set(dataset)
        if model is None and pipeline is None:
            model = batch.only_model(url, model_repository or Path("model_repository"))
        opened = held.enter_context(
            create_pipeline(pipeline or PIPELINE, device, model=model, url=url, repository=model_repository, jobs=jobs)
        )
        size = batch.target_size_of(opened, target_size)
        tally = _measured(opened, found, size, save_path, resume=resume)
        described = opened.model
        reached = measures(tally.matrix)
        _save(opened, found, tally, reached, size, save_path)
    Console(width=1000, height=1000, highlight=False).print(_table(reached, tally.matrix, described.class_names))
    typer.echo(_summary(described.name, reached, len(tally.images), found, save_path))
    if tally.failures:
        typer.echo(f"{len(tally.failures)} of {len(found.samples)} images failed, and do not count:", err=True)
        for failure in tally.failures:
            typer.echo(f"  {failure}", err=True)
    short = at_least is not None and not reached.miou >= at_least
    if short:
        typer.echo(f"semseg: the mIoU of {reached.miou:.4f} is below the {at_least:g} asked for", err=True)
    if tally.failures or short:
        raise typer.Exit(1)


def _measured(opened: Pipeline, found: DataSet, size: TargetSize | None, folder: Path, *, resume: bool) -> _Tally:
    import numpy as np

    from ..evaluation.evaluation import compared
    from ..evaluation.journal import Journal

    described = opened.model
    classes = len(described.class_names)
    if not classes:
        raise ServingError(f"{described.name} does not tell its classes: export it with this project's exporter")
    made = {
        "model": described.name,
        "version": described.version,
        "weights": described.source_sha256,
        "target_size": list(size) if isinstance(size, tuple) else size,
        "layout": found.layout,
    }
    tally = _Tally(np.zeros((classes, classes), np.int64))
    with ExitStack() as held:
        try:
            (folder / RECORD).mkdir(parents=True, exist_ok=True)
            journal = Journal(held.enter_context(AppendedLines(folder / RECORD / "compared.jsonl")), made, classes)
        except OSError as error:
            raise _unwritable(folder, error) from None
        progress = held.enter_context(batch.progress())
        task = progress.add_task("Measuring", total=len(found.samples))
        left = []
        for sample in found.samples:
            known = journal.done(sample) if resume else None
            if known is None:
                left.append(sample)
            else:
                tally.add(sample, known)
        progress.update(task, completed=len(tally.images))
        for sample, outcome in compared(opened, found, left, size):
            if isinstance(outcome, SemsegError):
                tally.failures.append(f"{sample.name}: {outcome}")
                batch.check_server(opened, outcome)
            else:
                tally.add(sample, outcome)
                _note(journal, sample, outcome, folder)
            progress.advance(task)
    return tally


def _note(journal: Journal, sample: Sample, matrix: Counts, folder: Path) -> None:
    try:
        journal.add(sample, matrix)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _save(opened: Pipeline, found: DataSet, tally: _Tally, reached: Measures, size: TargetSize | None, folder: Path) -> None:
    from ..evaluation import report

    described = opened.model
    more = {
        "model": described.name,
        "version": described.version,
        "source_sha256": described.source_sha256,
        "layout": found.layout,
        "target_size": size,
        "images": len(tally.images),
        "failures": tally.failures,
    }
    names = described.class_names
    files = {
        "evaluation.json": report.document(reached, tally.matrix, names, **more),
        "classes.csv": report.table(reached, tally.matrix, names),
        "confusion.png": report.confusion_picture(tally.matrix, names),
    }
    try:
        for name, content in files.items():
            write_whole(folder / name, content)
        if tally.images:
            write_whole(folder / "worst.jpg", report.contact_sheet(_worst(opened, found, tally, size)))
    except OSError as error:
        raise _unwritable(folder, error) from None


def _worst(opened: Pipeline, found: DataSet, tally: _Tally, size: TargetSize | None) -> Iterator[Any]:
    """The images with the fewest right pixels, segmented once more: (caption, result, truth)."""
    from ..evaluation.evaluation import sources
    from ..pipeline.pipeline import Failed

    right = tally.images
    worst = sorted((each for each in found.samples if each.name in right), key=lambda each: right[each.name])[:WORST]
    for sample, outcome in zip(worst, opened.attempt_sources(sources(worst), size, picture=False), strict=True):
        if not isinstance(outcome, Failed):
            yield f"{sample.name}, {right[sample.name]:.2%} right", outcome, found.truth(sample)


def _table(reached: Measures, matrix: Counts, names: Iterable[str]) -> Table:
    from ..evaluation import report

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("id", justify="right")
    table.add_column("class", no_wrap=True)
    for heading in ("IoU", "Dice", "precision", "recall", "share of pixels"):
        table.add_column(heading, justify="right")
    for row in report.rows(reached, matrix, list(names)):
        figures = (row[name] for name in ("iou", "dice", "precision", "recall", "share"))
        table.add_row(str(row["id"]), row["class"], *("absent" if each is None else f"{each:.4f}" for each in figures))
    return table


def _summary(model: str, reached: Measures, images: int, found: DataSet, folder: Path) -> str:
    absent = int((reached.iou != reached.iou).sum())  # NaN
    left_out = f", {absent} absent left out; {reached.miou_with_absent:.4f} as PaddleSeg counts them, as 0" if absent else ""
    theirs = PUBLISHED.get(model)
    published = ""
    if theirs is not None:
        published = f"PaddleX publishes {theirs.miou / 100:.4f} on {theirs.data_set}, measured at {theirs.protocol}\n"
    return (
        f"mIoU {reached.miou:.4f} over {len(reached.iou) - absent} classes{left_out}\n{published}"
        f"accuracy {reached.accuracy:.4f}, kappa {reached.kappa:.4f}, Dice {reached.dice:.4f};"
        f" {images} of {len(found.samples)} images, {reached.pixels} pixels\n"
        f"Written: {folder}/evaluation.json, classes.csv, confusion.png, worst.jpg"
    )


def _unwritable(folder: Path, error: OSError) -> SemsegError:
    return UnwritableOutput(f"{folder}: {error.strerror or error}")
