"""Terminal pictures: runs the demo, and keeps its progress picture and its report as SVG files of the reference.

Run as ``python docs/terminal_pictures.py``. What they show was measured in that run, so they differ each time.
"""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import anyio
from rich.console import Console, Group, RenderableType
from rich.text import Text

import brim
from brim.command_line.tables import report_table
from brim.demo.main import demonstrate
from brim.pipeline.progress import Progress

FOLDER = Path(__file__).parent / "reference"
MEMORY, PHOTOS, WIDTH = "256MiB", 1500, 110
ENOUGH = 0.6  # of the rows, when the picture is taken
FONTS = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace"
PROMPT = "$ brim demo --count 1500"


def main() -> None:
    """Take both pictures of one run."""
    taken: list[Text] = []
    with tempfile.TemporaryDirectory() as folder:
        demo = demonstrate(PHOTOS, 7, Path(folder), lambda pipeline: anyio.run(_watched, pipeline, taken), print)
    _save(taken[-1], "command-line-progress.svg")
    _save(report_table(demo.report), "command-line-report.svg")


async def _watched(pipeline: brim.Pipeline, taken: list[Text]) -> brim.Report:
    """Run `pipeline`, and take what a terminal would have shown until enough is done."""
    console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True, legacy_windows=False)
    async with brim.Engine(memory=MEMORY, processes=2, max_runs=1) as engine:
        job = engine.begin(pipeline)
        await job.ready()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_take, Progress(job, console), taken)
            while True:
                try:
                    await job.next_batch()
                except StopAsyncIteration:
                    return job.report()


async def _take(progress: Progress, taken: list[Text]) -> None:
    while not progress.job.ended:
        if (drawn := progress.picture()) is not None and progress.past[-1].stages[-1].rows_in <= ENOUGH * PHOTOS:
            taken.append(drawn)
        await anyio.sleep(0.25)


def _save(shown: RenderableType, name: str) -> None:
    """Write `shown` below the prompt; fonts are those of whoever looks, none is fetched."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Group(Text(PROMPT, style="bold"), Text(), shown), highlight=False)
    svg = console.export_svg(title="brim", unique_id=name.partition(".")[0])
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", FONTS)
    (FOLDER / name).write_text(svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
