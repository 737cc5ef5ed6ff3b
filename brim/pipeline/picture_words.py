"""Words of a picture: its signs, and how numbers and times are spelt for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

_RESOURCES = {"no_input": "iterable", "rate_limit": "rate limit", "": "outside"}


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


def fit(text: str, width: int, glyphs: Glyphs) -> str:
    """`text` in exactly `width` columns, cut short where it is longer."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + glyphs.more


def number(value: float) -> str:
    """A count or a rate for people.

    >>> [number(value) for value in (0, 7.26, 61.04, 12_345, 20_000_000)]
    ['0', '7.3', '61', '12,345', '20.0M']
    """
    for unit, name in ((1e9, "G"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:.1f}{name}"
    return f"{value:.1f}" if 0 < value < 10 and value != int(value) else f"{value:,.0f}"  # noqa: PLR2004 - one digit


def duration(seconds: float) -> str:
    """Time for people.

    >>> [duration(seconds) for seconds in (0.4, 5.2, 75, 4000)]
    ['0 s', '5 s', '1 min 15 s', '1 h 06 min']
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def resource_word(resource: str) -> str:
    """What a stage lacks or waits for, in a word or two.

    >>> [resource_word(resource) for resource in ("network", "rate_limit", "")]
    ['network', 'rate limit', 'outside']
    """
    return _RESOURCES.get(resource, resource)
