"""Write a run's text and plot beside its results and, on request, into docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .places import PERFORMANCE
from .records import Results

Draw = Callable[[Path], Path]  # writes a plot to a file


def publish(results: Results, text: str, draw: Draw, marker: str, *, docs: bool) -> list[Path]:
    """Write text and plot; `marker` names the place in the document and the plot's file. Returns the files written."""
    beside = results.file.with_suffix(".md")
    beside.write_text(text)
    written = [results.file, beside, draw(results.file.with_suffix(".svg"))]
    if docs:
        picture = draw(PERFORMANCE.with_name(f"performance-{marker}.svg"))
        between(PERFORMANCE, marker, f"{text}\n![The same as a plot]({picture.name})\n")
        written += [PERFORMANCE, picture]
    return written


def between(document: Path, marker: str, text: str) -> None:
    """Put `text` between `<!-- marker: begin -->` and `<!-- marker: end -->`.

    Raises:
        ValueError: the markers are missing.
    """
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    before, found, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{document} has no {begin} ... {end}")
    document.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
