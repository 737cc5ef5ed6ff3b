"""The table of speeds: a line an engine, with the median and the spread of its rounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.table import Table

from benchmarks.rounds import Run

MB = 1_000_000
HEADS = (
    "engine",
    "seconds",
    "spread",
    "times brim",
    "aim",
    "process s",
    "cpu s",
    "peak resident MB",
    "peak growth MB",
    "memory=",
    "result",
)


def table_of(title: str, runs: Sequence[Run], target: float | None = None) -> Table:
    """All runs of one workload; `times brim` is an engine's median over brim's, the aim is Daft's."""
    table = Table(title=title, title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"engine", "result"} else "right")
    for line in lines_of(runs, target):
        table.add_row(*line)
    return table


def lines_of(runs: Sequence[Run], target: float | None = None) -> list[tuple[str, ...]]:
    """The cells of the table, a line an engine."""
    ours = seconds_of([run for run in runs if run.engine == "brim"])
    engines = dict.fromkeys(run.engine for run in runs)
    return [
        cells([run for run in runs if run.engine == engine], ours, target if engine == "daft" else None)
        for engine in engines
    ]


def seconds_of(runs: Sequence[Run]) -> list[float]:
    """The seconds of the runs that ended well."""
    return [run.seconds for run in runs if run.status == "ok"]


def cells(runs: Sequence[Run], ours: Sequence[float], target: float | None = None) -> tuple[str, ...]:
    """The line of one engine."""
    seconds = seconds_of(runs)
    first = runs[0]
    return (
        f"{first.engine} {next((run.version for run in runs if run.version), '')}".strip(),
        f"{median(seconds):.2f}" if seconds else "-",
        f"{min(seconds):.2f} - {max(seconds):.2f}" if seconds else "-",
        f"{median(seconds) / median(ours):.2f}" if seconds and ours else "-",
        aim(median(seconds) / median(ours), target) if seconds and ours and target else "",
        f"{median(run.process_s for run in runs):.2f}",
        f"{median(run.cpu_s for run in runs):.1f}",
        f"{max(run.peak_resident for run in runs) / MB:,.0f}",
        f"{max(run.peak_growth for run in runs) / MB:,.0f}",
        first.memory if first.engine == "brim" else "-",
        _result(runs),
    )


def aim(ratio: float, target: float) -> str:
    """Whether a ratio reaches what was aimed at."""
    return f">= {target:g}: {'met' if ratio >= target else 'missed'}"


def _result(runs: Sequence[Run]) -> str:
    counts = {status: sum(run.status == status for run in runs) for status in dict.fromkeys(r.status for r in runs)}
    marks = {name: max(run.marks.get(name, 0) for run in runs) for run in runs for name in run.marks}
    said = [f"{count} {status}" for status, count in counts.items()]
    opening = max(run.opening_s for run in runs)
    if opening > 0.05:
        said.append(f"{opening:.1f} s to open it")
    return ", ".join([*said, *(f"{name} +{size / MB:,.0f} MB" for name, size in marks.items())])
