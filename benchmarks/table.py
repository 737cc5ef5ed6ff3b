"""The table of a benchmark: a line an engine, with the median and the spread of its rounds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.table import Table

from benchmarks.rounds import Run

MB = 1_000_000


def table_of(title: str, runs: Sequence[Run]) -> Table:
    """All runs of one workload; `times brim` is an engine's median over brim's."""
    table = Table(title=title, title_justify="left")
    heads = (
        "engine",
        "seconds",
        "spread",
        "times brim",
        "cpu s",
        "peak resident MB",
        "peak growth MB",
        "memory=",
        "result",
    )
    for head in heads:
        table.add_column(head, justify="left" if head in {"engine", "result"} else "right")
    engines = list(dict.fromkeys(run.engine for run in runs))
    ours = seconds_of([run for run in runs if run.engine == "brim"])
    for engine in engines:
        table.add_row(*cells([run for run in runs if run.engine == engine], ours))
    return table


def seconds_of(runs: Sequence[Run]) -> list[float]:
    """The seconds of the runs that ended well."""
    return [run.seconds for run in runs if run.status == "ok"]


def cells(runs: Sequence[Run], ours: Sequence[float]) -> tuple[str, ...]:
    """The line of one engine."""
    seconds = seconds_of(runs)
    first = runs[0]
    return (
        f"{first.engine} {next((run.version for run in runs if run.version), '')}".strip(),
        f"{median(seconds):.2f}" if seconds else "-",
        f"{min(seconds):.2f} - {max(seconds):.2f}" if seconds else "-",
        f"{median(seconds) / median(ours):.2f}" if seconds and ours else "-",
        f"{median(run.cpu_s for run in runs):.1f}",
        f"{max(run.peak_resident for run in runs) / MB:,.0f}",
        f"{max(run.peak_growth for run in runs) / MB:,.0f}",
        first.memory if first.engine == "brim" else "-",
        _result(runs),
    )


def _result(runs: Sequence[Run]) -> str:
    counts = {status: sum(run.status == status for run in runs) for status in dict.fromkeys(r.status for r in runs)}
    marks = {name: max(run.marks.get(name, 0) for run in runs) for run in runs for name in run.marks}
    said = [f"{count} {status}" for status, count in counts.items()]
    return ", ".join([*said, *(f"{name} +{size / MB:,.0f} MB" for name, size in marks.items())])
