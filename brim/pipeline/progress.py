"""Progress: a live picture of a run on a terminal or in a notebook, redrawn a few times a second.

Rules of this file
- Nothing is drawn where nobody sees it: standard error must be a terminal, or we are in a notebook (with ipywidgets,
  which rich draws by). `progress=True` still gets the last picture, once the run has ended.
- A terminal that stands still holds up the picture, not the run: drawing happens in a thread. One that is gone ends it.
- What the program prints meanwhile appears above the picture.
- One picture at a time: a run that begins while another is shown waits for its turn.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

import anyio
import anyio.to_thread
from rich.console import Console
from rich.live import Live
from rich.text import Text

from brim.errors import StageFailed
from brim.pipeline.job import Job
from brim.pipeline.picture import picture
from brim.pipeline.picture_moment import Moment, lately
from brim.pipeline.picture_words import ASCII, UNICODE, duration
from brim.pipeline.snapshot import RunSnapshot

REDRAW_S = 0.25
WINDOW_S = 3.0


Wanted = bool | Literal["terminal"] | None
"""True: draw; False: never; "terminal": on a terminal or in a notebook; None: in a notebook only."""


def show_progress(job: Job, *, wanted: Wanted) -> Progress | None:
    """A picture of `job`; None where it is not wanted, or nobody would see it and it was not asked for."""
    if wanted is False:
        return None
    seen = _is_screen(sys.stderr)
    console = Console(stderr=True, force_terminal=seen)
    if console.is_jupyter:
        return Progress(job, console) if find_spec("ipywidgets") is not None else None
    return Progress(job, console) if wanted is True or (seen and wanted == "terminal") else None


@dataclass(eq=False, slots=True)
class Progress:
    """The picture of one job, drawn until it has ended."""

    job: Job
    console: Console
    past: deque[RunSnapshot] = field(default_factory=deque)
    made_at: float = field(default_factory=time.monotonic)

    async def main(self) -> None:
        """Redraw until the job has ended, or there is no terminal any more."""
        with suppress(OSError):
            async with self.job.shared.screen:
                await self._draw()

    async def _draw(self) -> None:
        thread = anyio.CapacityLimiter(1)
        screen = Live(
            console=self.console,
            auto_refresh=False,
            redirect_stdout=_is_screen(sys.stdout),
            redirect_stderr=_is_screen(sys.stderr),
        )
        try:
            await anyio.to_thread.run_sync(screen.start, limiter=thread)
            while not self.job.ended:
                await anyio.to_thread.run_sync(_update, screen, self.picture() or self.starting(), limiter=thread)
                await anyio.sleep(REDRAW_S)
        finally:  # a run that was cancelled has a last picture too
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_end, screen, self.picture(), limiter=thread)

    def starting(self) -> Text:
        """What is drawn before the run has begun: sources are looked at, workers start, or it waits for memory."""
        return Text(f"starting, {duration(time.monotonic() - self.made_at)}", style="dim")

    def picture(self) -> Text | None:
        """The run as it stands now; None before it has begun."""
        now = self.job.snapshot()
        if now is None:
            return None
        self.past.append(now)
        while self.past[0].seconds < now.seconds - WINDOW_S and len(self.past) > 1:
            self.past.popleft()
        shared, error = self.job.shared, self.job.error
        moment = Moment(
            now=now,
            before=self.past[0],
            growth=self.job.growth,
            memory=shared.limits.memory,
            stopped=self.job.stopped or error is not None,
            failed=error.operator_id if isinstance(error, StageFailed) else None,
            bottleneck=self.job.report().bottleneck if self.job.ended else lately(self.past),
        )
        glyphs = ASCII if self.console.options.ascii_only else UNICODE
        return picture(moment, self.console.width - 1, self.console.height, glyphs)


def _update(screen: Live, drawn: Text) -> None:
    screen.update(drawn, refresh=True)


def _end(screen: Live, drawn: Text | None) -> None:
    """Draw the last picture and leave it there; of a run that never began, leave nothing.

    In a notebook, stopping does not draw.
    """
    try:
        screen.transient = drawn is None
        screen.update(drawn or "", refresh=screen.console.is_jupyter)
    finally:
        screen.stop()


def _is_screen(file: object) -> bool:
    """Whether `file` is a terminal that can move its cursor."""
    is_terminal = getattr(file, "isatty", None)
    return is_terminal is not None and bool(is_terminal()) and not Console(file=file).is_dumb_terminal  # type: ignore[arg-type]
