"""Shows an export in a terminal: a spinner or bar while a step runs, then a line with its duration; results as tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.status import Status
from rich.table import Table

from .checks.parity import Agreement
from .precision.fidelity import Fidelity
from .tables import show


@dataclass
class _Meter:
    progress: Progress
    task: TaskID

    def update(self, done: int, total: int | None) -> None:
        self.progress.update(self.task, completed=done, total=total)


@dataclass
class _Step:
    status: Status
    done: str = field(default="", init=False)

    def show(self, doing: str) -> None:
        self.status.update(doing)

    def meter(self, doing: str, *, in_bytes: bool = False) -> _Meter:
        columns = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
        progress = Progress(doing, BarColumn(), *columns, TimeRemainingColumn())
        self.status.update(progress)
        return _Meter(progress, progress.add_task("", total=None))


@dataclass(frozen=True)
class ConsoleReporter:
    console: Console

    @contextmanager
    def step(self, title: str) -> Iterator[_Step]:
        start = time.perf_counter()
        with self.console.status(title) as status:
            running = _Step(status)
            yield running
        seconds = time.perf_counter() - start
        self.note(f"[green]✓[/] {title:<12} {escape(running.done)} [dim]{seconds:.1f} s[/]")

    def note(self, text: str) -> None:
        """`text` may contain rich's markup."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.note(f"[yellow]![/] {escape(text)}")

    def agreement(self, agreements: list[Agreement], runner: str) -> None:
        rows = Table(
            title=f"Agreement with {runner}",
            box=box.SIMPLE_HEAD,
            caption="margin: where classes differ, the largest gap between the two in the reference's logits",
        )
        for heading in ("size", "batch", "classes", "differing", "equal", "logit error", "logit range", "margin"):
            rows.add_column(heading, justify="right", no_wrap=True)
        for a in agreements:
            logits = ["" if value is None else f"{value:.2g}" for value in (a.logits, a.spread, a.margin)]
            rows.add_row(f"{a.width}x{a.height}", str(a.batch), str(a.classes), str(a.differing), f"{a.share:.4%}", *logits)
        show(rows, self.console.file)

    def fidelity(self, fidelity: Fidelity, precision: str) -> None:
        rows = Table(
            title=f"Agreement of {precision} with fp32",
            box=box.SIMPLE_HEAD,
            caption="mIoU: with fp32's classes as ground truth",
        )
        for heading in ("images", "equal", "worst image", "mIoU"):
            rows.add_column(heading, justify="right", no_wrap=True)
        rows.add_row(str(fidelity.images), f"{fidelity.equal:.4%}", f"{fidelity.worst:.4%}", f"{fidelity.miou:.4f}")
        show(rows, self.console.file)
