"""Sums of a picture: rows with an estimate of the end, memory of the budget, and what is slowest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from brim.pipeline.bottleneck import Bottleneck
from brim.pipeline.picture_moment import ENDED, Moment, bytes_of, rows_of
from brim.pipeline.picture_words import Glyphs, duration, number, resource_word
from brim.pipeline.snapshot import StageSnapshot
from brim.sizes import format_size

WIDE = 100
_LABEL = len("slowest")
_GAP = "  "
_BAR_MAX = 40
_WARM, _HOT = 0.85, 0.95


def sum_lines(moment: Moment, names: Sequence[str], width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The lines below the operators, whose `names` are those shown."""
    done = _progress(moment)
    rows = _counted(done, moment, width)
    memory = f"{format_size(max(0, moment.growth))} of {format_size(moment.memory)}"
    bar = min(_BAR_MAX, width - _LABEL - 2 * len(_GAP) - max(len(rows), len(memory)))
    filled = done.rows / done.known if done.known else None
    yield _labelled("rows").append_text(_bar(filled, bar, "blue", glyphs)).append(rows)
    share = moment.growth / moment.memory if moment.memory else 0.0
    style = "green" if share < _WARM else "yellow" if share < _HOT else "red"
    yield _labelled("memory").append_text(_bar(share, bar, style, glyphs)).append(memory)
    if moment.bottleneck is not None:
        yield _labelled("slowest").append(_slowest(moment.bottleneck, moment.now.stages, names))


@dataclass(frozen=True, slots=True)
class _Progress:
    """Rows done, rows expected, and how much a second: of late, or of the whole run once it has ended."""

    rows: int
    known: int | None
    rows_s: float
    bytes_s: float


def _progress(moment: Moment) -> _Progress:
    """Of the furthest stage that knows how many rows there will be, or of the last one."""
    stages = moment.now.stages
    place = max((i for i, stage in enumerate(stages) if stage.rows_expected is not None), default=len(stages) - 1)
    stage, before, since = stages[place], moment.before.stages[place], moment.before.seconds
    rows, earlier_rows, earlier_bytes = rows_of(stage), rows_of(before), bytes_of(before)
    if all(stage.state == ENDED for stage in stages):
        earlier_rows, earlier_bytes, since = 0, 0, 0.0
    seconds = moment.now.seconds - since
    per_s = 1 / seconds if seconds > 0 else 0.0
    rows_s, bytes_s = (rows - earlier_rows) * per_s, (bytes_of(stage) - earlier_bytes) * per_s
    return _Progress(rows, stage.rows_expected, rows_s, bytes_s)


def _counted(done: _Progress, moment: Moment, width: int) -> str:
    """Rows, time, throughput, and what is left, in words."""
    counted = f"{number(done.rows)} of {number(done.known)}" if done.known else number(done.rows)
    words = [f"{counted} in {duration(moment.now.seconds)}"]
    if done.rows_s > 0:
        words.append(f"{number(done.rows_s)} rows/s")
        words.extend([f"{format_size(done.bytes_s)}/s"] if width >= WIDE and done.bytes_s else [])
        if done.known and done.rows < done.known and not moment.stopped:
            words.append(f"about {duration((done.known - done.rows) / done.rows_s)} left")
    return ", ".join(words)


def _slowest(bottleneck: Bottleneck, stages: Sequence[StageSnapshot], names: Sequence[str]) -> str:
    ids = [stage.id for stage in stages]
    known = bottleneck.operator in ids
    name = names[ids.index(bottleneck.operator)] if known else f"the {bottleneck.operator}"
    resource = resource_word(bottleneck.resource)
    lacks = f" ({resource})" if resource != bottleneck.operator else ""
    return f"{name}{lacks}, for {bottleneck.share:.0%} of the waiting"


def _labelled(name: str) -> Text:
    return Text(name.ljust(_LABEL) + _GAP)


def _bar(share: float | None, width: int, style: str, glyphs: Glyphs) -> Text:
    """A bar filled by `share`; nothing where that is not known."""
    bar = Text()
    if share is not None and width > 0:
        filled = round(min(1.0, max(0.0, share)) * width)
        bar.append(glyphs.bar * filled, style=style)
        bar.append(glyphs.rest * (width - filled) + _GAP, style="dim")
    return bar
