"""The records of a run as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from .machine import Machine
from .quantiles import Spread, median, p99
from .records import Confirmation, Failure, Load, Record, Stages, Start
from .rivals.catalogue import RIVALS, is_floor

R = TypeVar("R")

OURS = "rest"  # the rival that others are compared with


def markdown(records: Sequence[Record]) -> str:
    """All findings of a run, as text."""
    parts = [described(machine) for machine in of(records, Machine)]
    contested = [each for each in records if isinstance(each, Start | Load | Failure | Stages | Confirmation)]
    contests = dict.fromkeys((each.model, each.size) for each in contested)
    for model, size in contests:
        here = [each for each in contested if (each.model, each.size) == (model, size)]
        parts += [f"### {model}, {size}", "", *_contest(here), ""]
    return "\n".join(parts)


def described(machine: Machine) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB; {machine.system}. {versions}. "
        f"{machine.date}, commit {machine.commit}, load average {machine.load} before the run. Command: `{machine.command}`\n"
    )


def of(records: Iterable[Record], kind: type[R]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return [f"| {' | '.join(row)} |" for row in (heads, rule, *rows)]


def _contest(records: Sequence[Record]) -> list[str]:
    loads, failures = of(records, Load), of(records, Failure)
    lines = []
    if loads:
        lines += [*_speed_table(loads), "", *_cost_table(loads, of(records, Start)), "", *_against(loads)]
    lines += [f"* {each.rival} was left out: {re.sub(r'[|`]', ' ', each.reason)}" for each in failures]
    for stages in of(records, Stages):
        lines += ["", *_stage_table(stages)]
    confirmations = of(records, Confirmation)
    if confirmations:
        lines += ["", *_confirmation_table(confirmations)]
    return lines


def _speed_table(loads: Sequence[Load]) -> list[str]:
    counts = sorted({load.clients for load in loads})
    heads = ["rival"]
    for count in counts:
        heads += [f"{count}: images/s", "median ms", "p99 ms", "to floor", "p99 to ideal"]
    rows = []
    for rival in _present(loads):
        row = [rival]
        for count in counts:
            everyone = [load for load in loads if load.clients == count]
            row += _figures(
                [load for load in everyone if load.rival == rival], [load for load in everyone if is_floor(load.rival)]
            )
        rows.append(row)
    loader = [load.loader_cpu * 1e3 for load in loads if not is_floor(load.rival)]
    return [
        *table(heads, rows),
        "",
        f"The load generator and the memory watch took {spread(loader)} ms of CPU per image; other processes kept "
        f"{spread([load.others for load in loads])} cores busy meanwhile.",
    ]


def _figures(loads: Sequence[Load], floors: Sequence[Load]) -> list[str]:
    """The figures of one rival with one number of clients."""
    if not loads:
        return [""] * 5
    latencies = list(chain.from_iterable(load.latencies for load in loads))
    if loads[0].clients == 1:
        ratios = _ratios(loads, floors, lambda load: median(load.latencies), best=min)
    else:
        ratios = _ratios(loads, floors, lambda load: load.throughput, best=max)
    ideal = _ratios(loads, floors, lambda load: p99(load.latencies), best=min, than=lambda load: load.clients / load.throughput)
    return [
        f"{median([load.throughput for load in loads]):.2f}",
        f"{median(latencies) * 1e3:.0f}",
        f"{p99(latencies) * 1e3:.0f}",
        spread(ratios),
        spread(ideal),
    ]


def _cost_table(loads: Sequence[Load], starts: Sequence[Start]) -> list[str]:
    heads = ["rival", "CPU ms per image", "PSS MB", "RSS MB", "ready s", "first ms", "idle CPU", "as floor"]
    rows = []
    for rival in _present(loads):
        own = [load for load in loads if load.rival == rival]
        row = [rival, f"{median([load.cpu for load in own]) * 1e3:.0f}"]
        row += [f"{max(load.pss for load in own) / 1e6:.0f}", f"{max(load.rss for load in own) / 1e6:.0f}"]
        start = next((start for start in starts if start.rival == rival), None)
        row += [f"{start.ready:.1f}", f"{start.first * 1e3:.0f}", f"{start.idle:.1%}"] if start else ["", "", ""]
        rows.append([*row, f"{min(load.agreement for load in own):.4%}"])
    return table(heads, rows)


def _present(loads: Sequence[Load]) -> list[str]:
    there = {load.rival for load in loads}
    return [name for name in RIVALS if name in there] + sorted(there - RIVALS.keys())


def _ratios(
    loads: Sequence[Load],
    others: Sequence[Load],
    figure: Callable[[Load], float],
    best: Callable[[Iterable[float]], float],
    than: Callable[[Load], float] | None = None,
) -> list[float]:
    """Per round, the figure divided by the best of the others' in that round; for the others, `than` may replace `figure`."""
    ratios = []
    for load in loads:
        same_round = [(than or figure)(other) for other in others if other.round == load.round]
        if same_round:
            ratios.append(figure(load) / best(same_round))
    return ratios


def spread(ratios: Sequence[float]) -> str:
    """Median, minimum and maximum."""
    if not ratios:
        return ""
    found = Spread.of(ratios)
    return f"{found.middle:.2f} ({found.least:.2f}-{found.most:.2f})"


def _against(loads: Sequence[Load]) -> list[str]:
    """The ratio of our REST call to each other rival, per round."""
    ours = [load for load in loads if load.rival == OURS]
    others = [name for name in _present(loads) if name != OURS and not is_floor(name)]
    if not ours or not others:
        return []
    counts = sorted({load.clients for load in loads})
    rows = []
    for rival in others:
        row = [f"{OURS} / {rival}"]
        for count in counts:
            mine = [load for load in ours if load.clients == count]
            theirs = [load for load in loads if load.rival == rival and load.clients == count]
            row.append(spread(_ratios(mine, theirs, lambda load: load.throughput, best=max)))
        memory = max(load.pss for load in ours) / max(load.pss for load in loads if load.rival == rival)
        rows.append([*row, f"{memory:.2f}"])
    return [*table(["", *(f"images/s, {count}" for count in counts), "memory"], rows), ""]


def _stage_table(stages: Stages) -> list[str]:
    rows = [[f"gateway: {name}", "", "", "", "", _ms(seconds)] for name, seconds in stages.gateway.items()]
    for model, spent in sorted(stages.triton.items(), key=lambda item: item[1]["all"]):
        rows.append([model, *(_ms(spent[part]) for part in ("queue", "input", "infer", "output", "all"))])
    rows.append(["what the client sees", "", "", "", "", _ms(stages.total)])
    note = [] if stages.gateway else ["", "The gateway sends no Server-Timing: its time is the difference of the last two rows."]
    return [*table(["one REST request, ms", "queue", "input", "work", "output", "all"], rows), *note]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _confirmation_table(confirmations: Sequence[Confirmation]) -> list[str]:
    rows = []
    for clients in dict.fromkeys(each.clients for each in confirmations):
        here = [each for each in confirmations if each.clients == clients]
        rows.append(
            [
                str(clients),
                *(f"{median(values):.2f}" for values in ([e.throughput for e in here], [e.our_throughput for e in here])),
                spread([each.our_throughput / each.throughput for each in here]),
                *(f"{median(values) * 1e3:.0f}" for values in ([e.median for e in here], [e.our_median for e in here])),
                *(f"{median(values) * 1e3:.0f}" for values in ([e.p99 for e in here], [e.our_p99 for e in here])),
            ]
        )
    heads = ["gRPC, both outputs, clients", "perf_analyzer: images/s", "our load generator", "ratio"]
    return table([*heads, "perf_analyzer: median ms", "ours", "perf_analyzer: p99 ms", "ours"], rows)
