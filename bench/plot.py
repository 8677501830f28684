"""Plots, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from .quantiles import Spread
from .records import Load
from .rivals.catalogue import RIVALS

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.family": "sans-serif"})

_CLIENTS = 8


def throughputs(loads: Sequence[Load], file: Path) -> Path:
    """Images per second of each rival with eight clients (or the largest number measured): one row per model and size."""
    contests = list(dict.fromkeys((load.model, load.size) for load in loads))
    figure = Figure(figsize=(8, 0.6 + 2.2 * len(contests)), layout="constrained")
    for axes, (model, size) in zip(figure.subplots(len(contests), squeeze=False)[:, 0], contests, strict=True):
        here = [load for load in loads if (load.model, load.size) == (model, size)]
        counts = {load.clients for load in here}
        clients = _CLIENTS if _CLIENTS in counts else max(counts)
        rivals = [name for name in RIVALS if any(load.rival == name and load.clients == clients for load in here)][::-1]
        spreads = [
            Spread.of([load.throughput for load in here if (load.rival, load.clients) == (name, clients)]) for name in rivals
        ]
        middles = [each.middle for each in spreads]
        errors = [[each.middle - each.least for each in spreads], [each.most - each.middle for each in spreads]]
        bars = axes.barh(rivals, middles, xerr=errors, color="#4c78a8", ecolor="#333333", capsize=2)
        axes.bar_label(bars, [f"{middle:.2f}" for middle in middles], padding=6, fontsize=8)
        axes.set_title(f"{model}, {size}, {clients} clients: images/s", fontsize=10, loc="left")
        axes.margins(x=0.12)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return _saved(figure, file)


def lines(panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], file: Path) -> Path:
    """One panel per key, with one line of points per inner key; both axes are logarithmic."""
    figure = Figure(figsize=(8, 3.2 * len(panels)), layout="constrained")
    for axes, (title, series) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
        for name, points in series.items():
            axes.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axes.set_title(title, fontsize=10, loc="left")
        axes.legend(fontsize=8, frameon=False)
        axes.grid(alpha=0.3)
    return _saved(figure, file)


def _saved(figure: Figure, file: Path) -> Path:
    figure.savefig(file, metadata={"Date": None})
    return file
