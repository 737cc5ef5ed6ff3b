"""Picture: one moment of a run as lines of text, a line an operator, then rows and memory. Pure, of any width.

    operator              rows  rows/s      bytes  queue  now
    read_parquet           500          15.2 KiB          ✓ done
    url.download           312    61.0  41.2 MiB   ■■■··  network 93%
    image.decode.resize    280    60.2  40.1 MiB   ■····  busy 88%
    embed                  256    58.0   1.2 MiB          waits for image.decode.resize

    rows    ━━━━━━━━━━━━━━━──────────────  256 of 500 in 5 s, about 4 s left
    memory  ━━━━━━━━━━━━━━━━━━━━━────────  143.2 MiB of 256.0 MiB

Two snapshots are compared, so rates and what an operator does are those of the seconds between them. Text is laid out
here because a table of `rich` costs ten times as much to draw (0.3 against 2.7 ms for eight operators), and it is drawn
four times a second beside the work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from brim.events import Waits
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot
from brim.pipeline.stage_clock import BUSY
from brim.sizes import format_size

NARROWEST = 60
_ROWS, _RATE, _BYTES, _BAR, _QUEUE_SIZE, _NOW = 9, 7, 9, 5, 10, 18
_NAME_MAX, _WIDE = 34, 100
_GAP = "  "
_ENDED = "ended"
_OUTSIDE = {"connections": "network", "workers": "workers", "disk": "disk", "no_input": "iterable"} | {
    "throttled": "throttled",
    "rate_limit": "rate limit",
}
_STYLES = {BUSY: "green", Waits.OUTSIDE: "cyan", Waits.MEMORY: "yellow", Waits.ROOM: "dim", Waits.INPUT: "dim"}
_WARM, _HOT = 0.85, 0.95


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs of a picture: those of a terminal that shows Unicode, or of one that does not."""

    done: str = "✓"
    failed: str = "✗"
    full: str = "■"
    empty: str = "·"
    bar: str = "━"
    rest: str = "─"
    more: str = "…"


UNICODE = Glyphs()
ASCII = Glyphs(done="*", failed="!", full="#", empty=".", bar="=", rest="-", more="~")


@dataclass(frozen=True, slots=True)
class Moment:
    """What is drawn.

    Attributes:
        now: how the run stands.
        before: how it stood some seconds ago; `now` itself when there is nothing earlier.
        growth: bytes by which the process tree has grown.
        memory: bytes by which it may.
        stopped: whether the run was ended before its end.
        failed: the id of the operator that failed.
    """

    now: RunSnapshot
    before: RunSnapshot
    growth: int
    memory: int
    stopped: bool = False
    failed: str | None = None


def picture(moment: Moment, width: int, height: int | None = None, glyphs: Glyphs = UNICODE) -> Text:
    """`moment` drawn within `width` columns and, where `height` is given, that many lines."""
    given, width = width, max(NARROWEST, width)
    names = short_names(moment.now.stages)
    shown, hidden = _shown(moment.now.stages, height)
    lines = [_head(width, max(map(cell_len, names)))]
    if hidden:
        lines.append(Text(f"{glyphs.more} {hidden} more", style="dim"))
    lines.extend(_line(moment, index, names, width, glyphs) for index in shown)
    lines.extend((Text(), *_sums(moment, width, glyphs)))
    for line in lines:
        line.truncate(given)
    return Text("\n", no_wrap=True).join(lines)


def _widths(width: int, longest: int) -> tuple[int, int, int]:
    """Columns for the name, the queue and what an operator does now."""
    queue = _BAR + (_QUEUE_SIZE if width >= _WIDE else 0)
    free = width - _ROWS - _RATE - _BYTES - queue - 5 * len(_GAP)
    name = max(len("operator"), min(longest, _NAME_MAX, free - _NOW))
    return name, queue, free - name


def _head(width: int, longest: int) -> Text:
    name, queue, now = _widths(width, longest)
    heads = ("operator".ljust(name), "rows".rjust(_ROWS), "rows/s".rjust(_RATE), "bytes".rjust(_BYTES))
    return Text(_GAP.join((*heads, "queue".ljust(queue), "now".ljust(now))).rstrip(), style="dim")


def _line(moment: Moment, index: int, names: Sequence[str], width: int, glyphs: Glyphs) -> Text:
    stage, before = moment.now.stages[index], moment.before.stages[index]
    name, queue, now = _widths(width, max(map(cell_len, names)))
    doing, style = _doing(moment, index, names, glyphs)
    ended = stage.state == _ENDED
    line = Text(_fit(names[index], name, glyphs), style="dim" if ended else "bold")
    line.append(_GAP + _number(_rows(stage)).rjust(_ROWS))
    line.append(_GAP + _rate(stage, before, moment).rjust(_RATE), style="dim" if ended else "")
    line.append(_GAP + format_size(stage.bytes_in if stage.writes else stage.bytes_out).rjust(_BYTES))
    line.append(_GAP + _queue(stage, moment.now.queue_limit, queue, glyphs), style="blue")
    line.append(_GAP)
    line.append(_fit(doing, now, glyphs), style=style)
    line.rstrip()
    return line


class Named(Protocol):
    """What has an id, and a name that may not be its own alone."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


def short_names(operators: Sequence[Named]) -> list[str]:
    """The names of `operators` as the user knows them, their ids where a name is not enough."""
    known = Counter(operator.name for operator in operators)
    return [operator.name if known[operator.name] == 1 else operator.id for operator in operators]


def _shown(stages: Sequence[StageSnapshot], height: int | None) -> tuple[list[int], int]:
    """Places of the stages there are lines for, and how many there are not: those that have ended go first."""
    room = len(stages) if height is None else max(1, height - 6)
    if room >= len(stages):
        return list(range(len(stages))), 0
    by_interest = sorted(range(len(stages)), key=lambda i: (stages[i].state != _ENDED, i))
    return sorted(by_interest[-room:]), len(stages) - room


def _rows(stage: StageSnapshot) -> int:
    """A sink's own rows are files: what it took says more."""
    return stage.rows_in if stage.writes else stage.rows_out


def _rate(stage: StageSnapshot, before: StageSnapshot, moment: Moment) -> str:
    """Rows a second of late, or over its life once the stage has ended."""
    if stage.state == _ENDED:
        rows, seconds = _rows(stage), sum(_seconds(stage).values())
    else:
        rows, seconds = _rows(stage) - _rows(before), moment.now.seconds - moment.before.seconds
    return _number(rows / seconds) if rows and seconds > 0 else ""


def _queue(stage: StageSnapshot, limit: int, width: int, glyphs: Glyphs) -> str:
    if not stage.queue_batches:
        return " " * width
    share = min(1.0, stage.queue_bytes / limit) if limit else 1.0
    full = max(1, round(share * _BAR))
    bar = glyphs.full * full + glyphs.empty * (_BAR - full)
    return bar if width == _BAR else bar + format_size(stage.queue_bytes).rjust(_QUEUE_SIZE)


def _doing(moment: Moment, index: int, names: Sequence[str], glyphs: Glyphs) -> tuple[str, str]:
    """What the stage spent most of the last seconds on, and its style."""
    stage, before = moment.now.stages[index], moment.before.stages[index]
    if stage.id == moment.failed:
        return f"{glyphs.failed} failed", "bold red"
    if stage.state == _ENDED:
        cut_short = (moment.stopped or moment.failed is not None) and before.state != _ENDED
        return ("stopped", "yellow") if cut_short else (f"{glyphs.done} done", "green")
    earlier = _seconds(before)
    spent = {state: seconds - earlier[state] for state, seconds in _seconds(stage).items()}
    total = sum(spent.values())
    state = max(spent, key=lambda key: spent[key]) if total > 0 else stage.state
    share = f" {spent[state] / total:.0%}" if total > 0 else ""
    return _words(state, share, stage, before, _neighbour(moment.now.stages, index, state, names)), _STYLES[state]


def _words(state: str, share: str, stage: StageSnapshot, before: StageSnapshot, neighbour: str) -> str:
    match state:
        case "busy":
            return f"busy{share}"
        case "outside":
            return f"{_OUTSIDE.get(stage.resource or before.resource or '', 'outside')}{share}"
        case "memory":
            return "waits for memory"
        case _:
            return f"waits for {neighbour}"


def _neighbour(stages: Sequence[StageSnapshot], index: int, state: str, names: Sequence[str]) -> str:
    """Whom a stage in `state` waits for: its reader for room, what it reads for input."""
    if state == Waits.ROOM:
        return next((names[i] for i, stage in enumerate(stages) if index in stage.inputs), "the consumer")
    live = [i for i in stages[index].inputs if stages[i].state != _ENDED]
    return names[live[0]] if live else "input"


def _seconds(stage: StageSnapshot) -> dict[str, float]:
    return {
        BUSY: stage.busy_s,
        Waits.OUTSIDE: stage.waiting_for_outside_s,
        Waits.MEMORY: stage.waiting_for_memory_s,
        Waits.ROOM: stage.waiting_for_room_s,
        Waits.INPUT: stage.waiting_for_input_s,
    }


def _sums(moment: Moment, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """The lines for rows, with an estimate of the end where that is known, and for memory."""
    done, known, rate = _progress(moment)
    counted = f"{_number(done)} of {_number(known)}" if known else _number(done)
    words = [f"{counted} in {_duration(moment.now.seconds)}"]
    if known and rate > 0 and done < known and not moment.stopped:
        words.append(f"about {_duration((known - done) / rate)} left")
    rows = ", ".join(words)
    memory = f"{format_size(max(0, moment.growth))} of {format_size(moment.memory)}"
    bar = min(40, width - len("memory") - 2 * len(_GAP) - max(len(rows), len(memory)))
    filled = done / known if known else None
    yield _labelled("rows").append_text(_bar(filled, bar, "blue", glyphs)).append(rows)
    share = moment.growth / moment.memory if moment.memory else 0.0
    style = "green" if share < _WARM else "yellow" if share < _HOT else "red"
    yield _labelled("memory").append_text(_bar(share, bar, style, glyphs)).append(memory)


def _progress(moment: Moment) -> tuple[int, int | None, float]:
    """Rows done, rows expected and rows a second of the furthest stage that knows how many rows there will be."""
    stages = moment.now.stages
    place = max((i for i, stage in enumerate(stages) if stage.rows_expected is not None), default=None)
    if place is None:
        return _rows(stages[-1]), None, 0.0
    rows, seconds = stages[place].rows_out, moment.now.seconds - moment.before.seconds
    rate = (rows - moment.before.stages[place].rows_out) / seconds if seconds > 0 else 0.0
    return rows, stages[place].rows_expected, rate


def _labelled(name: str) -> Text:
    return Text(name.ljust(len("memory")) + _GAP)


def _bar(share: float | None, width: int, style: str, glyphs: Glyphs) -> Text:
    """A bar filled by `share`; nothing where that is not known."""
    bar = Text()
    if share is not None and width > 0:
        filled = round(min(1.0, max(0.0, share)) * width)
        bar.append(glyphs.bar * filled, style=style)
        bar.append(glyphs.rest * (width - filled) + _GAP, style="dim")
    return bar


def _fit(text: str, width: int, glyphs: Glyphs) -> str:
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + glyphs.more


def _number(value: float) -> str:
    """A count or a rate for people.

    >>> [_number(value) for value in (0, 7.26, 61.04, 12_345, 20_000_000)]
    ['0', '7.3', '61', '12,345', '20.0M']
    """
    for unit, name in ((1e9, "G"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:.1f}{name}"
    return f"{value:.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"  # noqa: PLR2004 - one digit


def _duration(seconds: float) -> str:
    """Time for people.

    >>> [_duration(seconds) for seconds in (0.4, 5.2, 75, 4000)]
    ['0 s', '5 s', '1 min 15 s', '1 h 06 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
