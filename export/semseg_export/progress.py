"""The steps of an export as the user sees them: a spinner while one runs, a line with its time when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.status import Status


@dataclass
class Step:
    """One step under way. `done` is what its last line will say."""

    status: Status
    done: str = field(default="", init=False)

    def show(self, progress: RenderableType) -> None:
        self.status.update(progress)


@contextmanager
def step(console: Console, title: str) -> Iterator[Step]:
    start = time.perf_counter()
    with console.status(title) as status:
        running = Step(status)
        yield running
    seconds = time.perf_counter() - start
    line = f"[green]✓[/] {title:<12} {escape(running.done)} [dim]{seconds:.1f} s[/]"
    console.print(line, highlight=False, soft_wrap=True)
