"""Words: numbers as people read them at a glance."""

from __future__ import annotations


def count(value: float) -> str:
    """A count, exact while it is short.

    >>> [count(value) for value in (0, 7, 12_345, 999_999, 20_400_000, 3_000_000_000)]
    ['0', '7', '12,345', '999,999', '20.4M', '3.0G']
    """
    for unit, name in ((1e9, "G"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:.1f}{name}"
    return f"{value:,.0f}"


def compact(value: float) -> str:
    """A count in a few signs.

    >>> [compact(value) for value in (0, 999, 1_250, 333_335, 20_400_000)]
    ['0', '999', '1.2k', '333k', '20M']
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.1f}{name}" if value < 10 * unit else f"{value / unit:.0f}{name}"
    return f"{value:.0f}"


def rate(value: float) -> str:
    """A count a second.

    >>> [rate(value) for value in (0.0, 0.25, 61.2, 4_321.0)]
    ['0 rows/s', '0.25 rows/s', '61 rows/s', '4.3k rows/s']
    """
    return f"{value:.2g} rows/s" if 0 < value < 10 else f"{compact(value)} rows/s"  # noqa: PLR2004 - two digits


def seconds(value: float) -> str:
    """A duration.

    >>> [seconds(value) for value in (0.0, 0.0042, 0.35, 2.0, 12.34, 75.0, 4000.0)]
    ['0 s', '4 ms', '0.35 s', '2 s', '12.3 s', '1 min 15 s', '1 h 6 min']
    """
    if value < 1:
        return f"{value * 1000:.0f} ms" if 0 < value < 0.1 else f"{value:.2g} s"  # noqa: PLR2004 - two digits
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{value:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def share(value: float) -> str:
    """A part of a whole.

    >>> share(0.914), share(0.004)
    ('91 %', '<1 %')
    """
    return "<1 %" if 0 < value < 0.01 else f"{value:.0%}".replace("%", " %")  # noqa: PLR2004 - one percent


def clipped(text: str, most: int) -> str:
    """`text` in at most so many signs.

    >>> clipped("with_columns", 8)
    'with_co…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
