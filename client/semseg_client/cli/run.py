"""Segments, saves and reports a command's images, and decides the exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ..errors import DeadlineExceeded, SemsegError, ServingError, Unavailable
from ..hosting.repository import exported_models
from ..inputs.resolve import Item, Sieve, Source, Unreadable
from ..pipeline.config import PIPELINE, load
from ..pipeline.pipeline import Failed, Pipeline
from ..triton.client import Client
from ..triton.protocol import TargetSize

if TYPE_CHECKING:
    from ..results.result import Result

EXIT_CODES = (
    "Exit codes: 0 all images were segmented; 1 an image or something else failed (see the message); 2 invalid command line;"
    " 130 interrupted (Ctrl-C); 141 broken pipe; 143 terminated (SIGTERM)."
)
RESUME = "semseg predict --resume"
_TO_ANSWER = 5.0  # s that a server has to show that it is alive, after it failed to answer for an image


class Destination(Protocol):
    """Where results go, and which images remain to be done."""

    skipped: int
    resumable: bool  # whether a later run can skip what is done

    def remaining(self, items: Iterable[Item]) -> Iterator[Source | Unreadable]: ...

    def save(self, found: Result) -> list[Path]: ...


class Report(Protocol):
    """Reports each image on standard output, in order."""

    def result(self, found: Result, files: Sequence[Path]) -> None: ...

    def failure(self, failed: Failed) -> None: ...


@dataclass
class _Tally:
    done: int = 0
    failures: list[Failed] = field(default_factory=list)

    def tell(self, skipped: int) -> None:
        count = self.done + len(self.failures)
        before = f"; {skipped} were already done" if skipped else ""
        if self.failures:
            typer.echo(f"{len(self.failures)} of {count} images failed{before}:", err=True)
            for failed in self.failures:
                typer.echo(f"  {failed}", err=True)
        elif count > 1 or skipped:
            typer.echo(f"{count} images segmented{before}", err=True)


@dataclass
class _Expected:
    """The expected number of images: those found so far, plus one for each item not yet opened."""

    unseen: int | None
    found: int = 0
    paged: bool = False  # inside a multi-image file, with an unknown number of images

    @property
    def images(self) -> int | None:
        return None if self.unseen is None or self.paged else self.unseen + self.found

    def counted(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if self.unseen is not None:
                self.unseen -= 1
            self.paged = False
            yield item

    def noted(self, images: Iterable[Source | Unreadable]) -> Iterator[Source | Unreadable]:
        for image in images:
            self.found += 1
            self.paged = isinstance(image, Source) and image.page_index is not None
            yield image


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def check_packages() -> None:
    """Raise SemsegError if the packages that draw results are missing."""
    try:
        from ..results import result  # noqa: F401
    except ModuleNotFoundError as error:
        raise SemsegError(f"results need {error.name}: pip install 'paddle-semseg-client[pipeline]'") from None


def only_model(url: str | None, repository: Path) -> str | None:
    """The only model. None, if there is none, or if the pipeline's own model is among several: the pipeline then uses its own.

    Raises:
        ServingError: there are several, and the pipeline's is not among them.
    """
    if url is None:
        models = exported_models(repository)
    else:
        with Client(url) as client:
            models = [each.name for each in client.models()]
    if len(models) > 1 and load(PIPELINE).model not in models:
        raise ServingError(f"{url or repository} has several models: choose one with --model: {', '.join(models)}")
    return models[0] if len(models) == 1 else None


def target_size_of(pipeline: Pipeline, asked: TargetSize | None) -> TargetSize | None:
    """The target size given on the command line, else the one in the pipeline's configuration."""
    return pipeline.config.target_size if asked is None else asked


def run(
    pipeline: Pipeline,
    items: Iterable[Item],
    destination: Destination,
    report: Report,
    target_size: TargetSize | None = None,
    *,
    sieve: Sieve,
    picture: bool = True,
    bits: int | None = None,
    strict: bool = False,
) -> None:
    """Segment the images of `items`, and save and report each. With `picture`, the server also draws the pictures.

    A failed image does not stop the others; failures are listed at the end, and so is what `sieve` passed over.

    Raises:
        typer.Exit: images failed, or with `strict` were passed over; the server is gone, or results can no longer be written.
    """
    for note in pipeline.config.notes:
        typer.echo(f"semseg: {note}", err=True)
    tally = _Tally()
    stopped = ""
    expected = _Expected(len(items) if isinstance(items, Sequence) else None)
    images = expected.noted(destination.remaining(expected.counted(items)))
    try:
        found = pipeline.attempt_sources(images, target_size, picture=picture, bits=bits)
        with progress() as bar, _warnings(), closing(found) as outcomes:
            task = bar.add_task("Segmenting", total=expected.images)
            for outcome in outcomes:
                failed = outcome if isinstance(outcome, Failed) else _save(outcome, destination, report)
                if failed is None:
                    tally.done += 1
                else:
                    tally.failures.append(failed)
                    report.failure(failed)
                    check_server(pipeline, failed.error)
                bar.update(task, advance=1, total=expected.images)
    except SemsegError as error:
        stopped = f"semseg: {error}{f'; to continue: {RESUME}' if destination.resumable else ''}"
    finally:
        tally.tell(destination.skipped)
        if sieve:
            typer.echo(f"passed over: {sieve}", err=True)
    if stopped:
        typer.echo(stopped, err=True)
    if stopped or tally.failures or (strict and sieve.images):
        raise typer.Exit(1)


@contextmanager
def ended_in_a_line(resume: str | None) -> Iterator[None]:
    """Report a signal in one line, with the command to `resume`, if there is one; exit quietly on a broken pipe.

    Raises:
        typer.Exit: on a signal or a broken pipe, with the exit code.
    """

    def terminate(*_: object) -> None:
        raise _Terminated

    hint = f"; to continue: {resume}" if resume else ""
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except _Terminated:
        typer.echo(f"semseg: terminated{hint}", err=True)
        raise typer.Exit(143) from None
    except KeyboardInterrupt:
        typer.echo(f"semseg: interrupted{hint}", err=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that Python's flush at exit does not fail, too
        raise typer.Exit(141) from None
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    """Raised on SIGTERM, as Python itself raises KeyboardInterrupt on SIGINT."""


class _Lines(logging.Handler):
    """Prints each message on a line of standard error, above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(f"semseg: {record.getMessage()}", err=True)


@contextmanager
def _warnings() -> Iterator[None]:
    """Print the pipeline's warnings."""
    logger = logging.getLogger(Pipeline.__module__)
    lines = _Lines()
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)


def _save(found: Result, destination: Destination, report: Report) -> Failed | None:
    try:
        files = destination.save(found)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:  # of this image alone
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return Failed(found.input_path, found.page_index, SemsegError(f"its result cannot be saved: {reason}"))
    report.result(found, files)
    return None


def check_server(pipeline: Pipeline, error: SemsegError) -> None:
    """Stop if the server is gone: otherwise every remaining image would fail, one by one."""
    if isinstance(error, Unavailable | DeadlineExceeded):
        try:
            pipeline.wait_ready(_TO_ANSWER)
        except SemsegError:
            raise error from None


def progress() -> Progress:
    """A bar on standard error, if that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # output for a pipe must not go to the terminal
    )
