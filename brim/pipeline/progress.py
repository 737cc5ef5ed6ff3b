"""Progress: a live picture of a run on a terminal or in a notebook, redrawn a few times a second.

Stages with rows, bytes and rate, how full the queue behind each is, what each does now, and memory of budget.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from brim.pipeline.job import Job
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot
from brim.sizes import format_size

REDRAW_S = 0.2
GLYPHS = {"busy": "▶", "input": "◁ input", "room": "▷ room", "memory": "▣ memory", "outside": "☁ outside", "ended": "✓"}


def show_progress(job: Job, *, wanted: bool | None) -> Progress | None:
    """A picture of `job`; None where it is not wanted, or nobody would see it and it was not asked for."""
    if wanted is False:
        return None
    console = Console(stderr=True)
    visible = console.is_terminal or console.is_jupyter
    return Progress(job, console) if visible or wanted else None


@dataclass(eq=False, slots=True)
class Progress:
    """The picture of one job, drawn until it has ended."""

    job: Job
    console: Console

    async def main(self) -> None:
        """Redraw until the job has ended."""
        with Live(console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
            while not self.job.ended:
                self._draw(live)
                await anyio.sleep(REDRAW_S)
            self._draw(live)

    def _draw(self, live: Live) -> None:
        seen = self.job.snapshot()
        if seen is not None:
            live.update(picture(seen, self.job.shared.growth, self.job.shared.limits.memory), refresh=True)


def picture(seen: RunSnapshot, growth: int, memory: int) -> Group:
    """One moment of a run as a table with a line of memory below it."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("operator", no_wrap=True)
    for head in ("rows", "rows/s", "bytes", "queue"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("now", no_wrap=True)
    for stage in seen.stages:
        table.add_row(*_cells(stage, seen.seconds))
    share = growth / memory if memory else 0.0
    filled = round(min(1.0, max(0.0, share)) * 30)
    bar = f"{'█' * filled}{'░' * (30 - filled)}"
    return Group(table, Text(f"memory {bar} {format_size(growth)} of {format_size(memory)}   {seen.seconds:.1f} s"))


def _cells(stage: StageSnapshot, seconds: float) -> tuple[str, ...]:
    rate = stage.rows_out / seconds if seconds else 0.0
    queue = f"{stage.queue_batches} ({format_size(stage.queue_bytes)})" if stage.queue_batches else "-"
    now = GLYPHS[stage.state]
    return stage.id, f"{stage.rows_out:,}", f"{rate:,.0f}", format_size(stage.bytes_out), queue, now
