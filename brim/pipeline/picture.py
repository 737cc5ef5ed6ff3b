"""Picture: one moment of a run as lines of text, a line an operator, then rows and memory. Pure, of any width.

    operator              rows  rows/s      bytes  queue  now
    read_parquet           500          15.2 KiB          ✓ done
    url.download           312    61.0  41.2 MiB   ■■■··  network 93%
    image.decode.resize    280    60.2  40.1 MiB   ■····  busy 88%
    embed                  256    58.0   1.2 MiB          waits for image.decode.resize

    rows     ━━━━━━━━━━━━━━━──────────────  256 of 500 in 5 s, 58 rows/s, about 4 s left
    memory   ━━━━━━━━━━━━━━━━━━━━━────────  143.2 MiB of 256.0 MiB
    slowest  url.download (network), for 83% of the waiting

Two snapshots are compared, so rates and what an operator does are those of the seconds between them, and so is what is
slowest. Text is laid out here because a table of `rich` costs ten times as much to draw (0.3 against 2.7 ms for eight
operators), and it is drawn four times a second beside the work.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from brim.events import Resource, Waits
from brim.pipeline.picture_moment import ENDED, Moment, bytes_of, rows_of
from brim.pipeline.picture_sums import WIDE, sum_lines
from brim.pipeline.picture_words import UNICODE, Glyphs, fit, number, resource_word
from brim.pipeline.short_names import short_names
from brim.pipeline.snapshot import StageSnapshot
from brim.pipeline.stage_clock import BUSY
from brim.sizes import format_size

NARROWEST = 60
_ROWS, _RATE, _BYTES, _BAR, _QUEUE_SIZE, _NOW = 9, 7, 9, 5, 10, 18
_NAME_MAX = 34
_GAP = "  "
_STYLES = {BUSY: "green", Waits.OUTSIDE: "cyan", Waits.MEMORY: "yellow", Waits.ROOM: "dim", Waits.INPUT: "dim"}


def picture(moment: Moment, width: int, height: int | None = None, glyphs: Glyphs = UNICODE) -> Text:
    """`moment` drawn within `width` columns and, where `height` is given, that many lines."""
    given, width = width, max(NARROWEST, width)
    names = short_names(moment.now.stages)
    sums = list(sum_lines(moment, names, width, glyphs))
    shown, hidden = _shown(moment.now.stages, None if height is None else height - len(sums))
    lines = [_head(width, max(map(cell_len, names)))]
    if hidden:
        lines.append(Text(f"{glyphs.more} {hidden} more", style="dim"))
    lines.extend(_line(moment, index, names, width, glyphs) for index in shown)
    lines.extend((Text(), *sums))
    for line in lines:
        line.truncate(given)
    return Text("\n", no_wrap=True).join(lines)


def _widths(width: int, longest: int) -> tuple[int, int, int]:
    """Columns for the name, the queue and what an operator does now."""
    queue = _BAR + (_QUEUE_SIZE if width >= WIDE else 0)
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
    ended = stage.state == ENDED
    line = Text(fit(names[index], name, glyphs), style="dim" if ended else "bold")
    line.append(_GAP + number(rows_of(stage)).rjust(_ROWS))
    line.append(_GAP + _rate(stage, before, moment).rjust(_RATE), style="dim" if ended else "")
    line.append(_GAP + format_size(bytes_of(stage)).rjust(_BYTES))
    line.append(_GAP + _queue(stage, moment.now.queue_limit, queue, glyphs), style="blue")
    line.append(_GAP)
    line.append(fit(doing, now, glyphs), style=style)
    line.rstrip()
    return line


def _shown(stages: Sequence[StageSnapshot], height: int | None) -> tuple[list[int], int]:
    """Places of the stages there are lines for, and how many there are not: those that have ended go first.

    The head, the line for those left out, an empty one and the cursor's take lines too.
    """
    room = len(stages) if height is None else max(1, height - 4)
    if room >= len(stages):
        return list(range(len(stages))), 0
    by_interest = sorted(range(len(stages)), key=lambda i: (stages[i].state != ENDED, i))
    return sorted(by_interest[-room:]), len(stages) - room


def _rate(stage: StageSnapshot, before: StageSnapshot, moment: Moment) -> str:
    """Rows a second of late, or over its life once the stage has ended."""
    if stage.state == ENDED:
        rows, seconds = rows_of(stage), sum(_seconds(stage).values())
    else:
        rows, seconds = rows_of(stage) - rows_of(before), moment.now.seconds - moment.before.seconds
    return number(rows / seconds) if rows and seconds > 0 else ""


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
    if stage.state == ENDED:
        cut_short = (moment.stopped or moment.failed is not None) and before.state != ENDED
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
            resource = stage.resource or before.resource or ""
            return "waits for a core" if resource == Resource.CPU else f"{resource_word(resource)}{share}"
        case "memory":
            return "waits for memory"
        case _:
            return f"waits for {neighbour}"


def _neighbour(stages: Sequence[StageSnapshot], index: int, state: str, names: Sequence[str]) -> str:
    """Whom a stage in `state` waits for: its reader for room, what it reads for input."""
    if state == Waits.ROOM:
        return next((names[i] for i, stage in enumerate(stages) if index in stage.inputs), "the consumer")
    live = [i for i in stages[index].inputs if stages[i].state != ENDED]
    return names[live[0]] if live else "input"


def _seconds(stage: StageSnapshot) -> dict[str, float]:
    return {
        BUSY: stage.busy_s,
        Waits.OUTSIDE: stage.waiting_for_outside_s,
        Waits.MEMORY: stage.waiting_for_memory_s,
        Waits.ROOM: stage.waiting_for_room_s,
        Waits.INPUT: stage.waiting_for_input_s,
    }
