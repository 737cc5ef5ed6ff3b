"""`.dt`: functions of dates, times, timestamps and durations; a timestamp is read on the clock of its own zone."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.cast import cast
from brim.operators.expressions.function import Function, Values, entry, to_numpy
from brim.operators.expressions.promotion import NoCommonType

FUNCTIONS: dict[str, Function] = {}
DATES = "dates or timestamps"
CLOCKS = "times or timestamps"
_EVERY = re.compile(r"([+-]?)(\d+)(ns|us|ms|mo|s|m|h|d|w|q|y)")
_UNITS = {
    "ns": "nanosecond",
    "us": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "q": "quarter",
    "y": "year",
}
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 604800 * 10**9,
}
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def _part(name: str, kernel: Callable[[Values], pa.Array], takes: str, doc: str) -> None:
    """Enter a function that reads one part of a date or a clock, an int64."""

    def compute(times: Values) -> pa.Array:
        return pc.cast(kernel(times), pa.int64())

    compute.__doc__ = doc
    FUNCTIONS[f"dt.{name}"] = Function(f"dt.{name}", compute, takes)


_DAY = "datetime(2024, 2, 29, 13, 5, 9, 250_000)"
_part("year", pc.year, DATES, f"The year.\n\n>>> call('dt.year', [{_DAY}])\n[2024]")
_part("quarter", pc.quarter, DATES, f"The quarter, 1 to 4.\n\n>>> call('dt.quarter', [{_DAY}])\n[1]")
_part("month", pc.month, DATES, f"The month, 1 to 12.\n\n>>> call('dt.month', [{_DAY}])\n[2]")
_part("week", pc.iso_week, DATES, f"The week of ISO 8601, 1 to 53.\n\n>>> call('dt.week', [{_DAY}])\n[9]")
_part("day", pc.day, DATES, f"The day of the month, 1 to 31.\n\n>>> call('dt.day', [{_DAY}])\n[29]")
_part("ordinal_day", pc.day_of_year, DATES, f"The day of the year.\n\n>>> call('dt.ordinal_day', [{_DAY}])\n[60]")
_part(
    "weekday",
    lambda days: pc.day_of_week(days, count_from_zero=False, week_start=1),
    DATES,
    f"The day of the week, Monday 1 to Sunday 7.\n\n>>> call('dt.weekday', [{_DAY}])\n[4]",
)
_part("hour", pc.hour, CLOCKS, f"The hour, 0 to 23.\n\n>>> call('dt.hour', [{_DAY}])\n[13]")
_part("minute", pc.minute, CLOCKS, f"The minute, 0 to 59.\n\n>>> call('dt.minute', [{_DAY}])\n[5]")
_part("second", pc.second, CLOCKS, f"The second, 0 to 59.\n\n>>> call('dt.second', [{_DAY}])\n[9]")
_part(
    "millisecond",
    pc.millisecond,
    CLOCKS,
    f"Milliseconds of the second, 0 to 999.\n\n>>> call('dt.millisecond', [{_DAY}])\n[250]",
)
_part(
    "microsecond",
    lambda times: pc.add(pc.multiply(pc.millisecond(times), 1000), pc.microsecond(times)),
    CLOCKS,
    f"Microseconds of the second, 0 to 999,999.\n\n>>> call('dt.microsecond', [{_DAY}])\n[250000]",
)


@entry(FUNCTIONS, "dt.is_leap_year", DATES)
def is_leap_year(times: Values) -> pa.Array:
    """Whether the year has 366 days.

    >>> call("dt.is_leap_year", [datetime(2024, 1, 1), datetime(1900, 1, 1)])
    [True, False]
    """
    return pc.is_leap_year(times)


@entry(FUNCTIONS, "dt.date", DATES)
def date(times: Values) -> pa.Array:
    """The day, without the time.

    >>> call("dt.date", [datetime(2024, 2, 29, 13)])
    [datetime.date(2024, 2, 29)]
    """
    if not (types.is_timestamp(times.type) or types.is_date(times.type)):
        raise TypeError(f"{times.type} has no day")
    return pc.cast(times, pa.date32())


@entry(FUNCTIONS, "dt.time", "timestamps")
def time(times: Values) -> pa.Array:
    """The time of the day.

    >>> call("dt.time", [datetime(2024, 2, 29, 13)])
    [datetime.time(13, 0)]
    """
    if not types.is_timestamp(times.type):
        raise TypeError(f"{times.type} has no time of the day")
    return pc.cast(times, pa.time64("ns" if times.type.unit == "ns" else "us"))


@entry(FUNCTIONS, "dt.truncate", DATES)
def truncate(times: Values, every: str) -> pa.Array:
    """The beginning of the `every` it falls into: "15m", "1h", "1d", "1w" (from Monday), "1mo", "1q", "1y".

    >>> call("dt.truncate", [datetime(2024, 2, 29, 13, 17)], every="15m")
    [datetime.datetime(2024, 2, 29, 13, 15)]
    """
    sign, count, unit = _one_span(every)
    if sign < 0:
        raise ValueError(f"a time is truncated to a span that is positive, not {every!r}")
    return pc.floor_temporal(times, multiple=count, unit=_UNITS[unit], calendar_based_origin=unit in ("m", "s"))


@entry(FUNCTIONS, "dt.offset_by", DATES)
def offset_by(times: Values, by: str) -> pa.Array:
    """Moved by a span such as "2h", "-1d" or "1mo2d"; months keep the day, or take the last one there is.

    >>> call("dt.offset_by", [datetime(2024, 1, 31)], by="1mo")
    [datetime.datetime(2024, 2, 29, 0, 0)]
    """
    for sign, count, unit in _spans(by):
        if unit in _MONTHS:
            times = _months_later(times, sign * count * _MONTHS[unit])
        else:
            times = _later(times, sign * count * _NANOSECONDS[unit])
    return times


def _spans(text: str) -> list[tuple[int, int, str]]:
    sign = -1 if text.startswith("-") else 1
    found = list(_EVERY.finditer(text))
    if not found or "".join(part[0] for part in found) != text:
        raise ValueError(f'{text!r} is no span of time: write "15m", "2h", "1d", "1mo" or several in a row')
    return [(sign if not part[1] else -1 if part[1] == "-" else 1, int(part[2]), part[3]) for part in found]


def _one_span(text: str) -> tuple[int, int, str]:
    spans = _spans(text)
    if len(spans) != 1 or spans[0][1] == 0:
        raise ValueError(f"one span of time is wanted, such as 15m, not {text!r}")
    return spans[0]


def _later(times: pa.Array, nanoseconds: int) -> pa.Array:
    kind = times.type
    if not (types.is_timestamp(kind) or types.is_date(kind)):
        raise TypeError(f"{kind} has no day")
    unit = kind.unit if types.is_timestamp(kind) else "s"
    parts = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
    if nanoseconds % parts[unit]:
        unit = next(finer for finer in parts if nanoseconds % parts[finer] == 0)
    wide = pc.cast(times, pa.timestamp(unit, kind.tz if types.is_timestamp(kind) else None))
    moved = pc.add_checked(wide, pa.scalar(nanoseconds // parts[unit], pa.duration(unit)))
    return pc.cast(moved, kind, safe=False) if types.is_date(kind) else moved


def _months_later(times: pa.Array, months: int) -> pa.Array:
    if types.is_timestamp(times.type) and times.type.tz is not None:
        moved = _months_later(pc.local_timestamp(times), months)
        return pc.assume_timezone(moved, times.type.tz, ambiguous="earliest", nonexistent="latest")
    first = pc.floor_temporal(times, unit="month")
    start = to_numpy(cast(first, pa.date32()).cast(pa.int32())).astype("datetime64[D]").astype("datetime64[M]")
    later = start + np.timedelta64(months, "M")
    last_day = ((later + 1).astype("datetime64[D]") - later.astype("datetime64[D]")).astype(np.int64)
    day = np.minimum(to_numpy(pc.day(times)), last_day)
    days = (later.astype("datetime64[D]").astype(np.int64) + day - 1).astype(np.int32)
    moved = pa.array(days, mask=~to_numpy(pc.is_valid(times), null=False)).cast(pa.date32())
    if types.is_date(times.type):
        return cast(moved, times.type)
    return pc.add_checked(cast(moved, times.type), pc.subtract_checked(times, pc.floor_temporal(times, unit="day")))


@entry(FUNCTIONS, "dt.epoch", DATES)
def epoch(times: Values, time_unit: str = "us") -> pa.Array:
    """Units of time since 1970 in UTC, an int64; units are s, ms, us, ns and d.

    >>> call("dt.epoch", [datetime(1970, 1, 2)], time_unit="s")
    [86400]
    """
    if time_unit == "d":
        return pc.cast(pc.cast(pc.cast(times, pa.date32(), safe=False), pa.int32()), pa.int64())
    if not (types.is_timestamp(times.type) or types.is_date(times.type)):
        raise TypeError(f"{times.type} is no moment")
    zone = times.type.tz if types.is_timestamp(times.type) else None
    return pc.cast(pc.floor_temporal(times, unit=_UNITS[time_unit]).cast(pa.timestamp(time_unit, zone)), pa.int64())


@entry(FUNCTIONS, "dt.convert_time_zone", "timestamps with a zone")
def convert_time_zone(times: Values, time_zone: str) -> pa.Array:
    """The same moment on the clock of another zone.

    >>> str(call("dt.convert_time_zone", pa.array([0], pa.timestamp("s", "UTC")), time_zone="Asia/Tokyo")[0])
    '1970-01-01 09:00:00+09:00'
    """
    if not types.is_timestamp(times.type) or times.type.tz is None:
        raise TypeError(f"{times.type} has no zone; give it one by replace_time_zone")
    moved = pc.cast(times, pa.timestamp(times.type.unit, time_zone))
    pc.year(pa.nulls(1, moved.type).fill_null(pa.scalar(0, moved.type)))  # refuses a zone that there is not
    return moved


@entry(FUNCTIONS, "dt.replace_time_zone", "timestamps")
def replace_time_zone(times: Values, time_zone: str | None) -> pa.Array:
    """The same clock reading in another zone, or in none.

    >>> str(call("dt.replace_time_zone", [datetime(2024, 7, 1)], time_zone="Europe/Paris")[0])
    '2024-07-01 00:00:00+02:00'
    """
    if not types.is_timestamp(times.type):
        raise TypeError(f"{times.type} is no timestamp")
    local = times if times.type.tz is None else pc.local_timestamp(times)
    return local if time_zone is None else pc.assume_timezone(local, time_zone)


def _total(name: str, unit: str) -> None:
    """Enter a function that counts the whole units of a duration, towards zero."""

    def compute(durations: Values) -> pa.Array:
        if not types.is_duration(durations.type):
            raise NoCommonType(f"{durations.type} is no duration")
        nanoseconds = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[durations.type.unit]
        count = pc.cast(durations, pa.int64())
        if _NANOSECONDS[unit] >= nanoseconds:
            return pc.divide(count, _NANOSECONDS[unit] // nanoseconds)
        return pc.multiply_checked(count, nanoseconds // _NANOSECONDS[unit])

    compute.__doc__ = (
        f"Whole {name} of the duration.\n\n"
        f">>> call('dt.total_{name}', pa.array([3], pa.duration('s'))) == [3 * 10**9 // {_NANOSECONDS[unit]}]\nTrue"
    )
    FUNCTIONS[f"dt.total_{name}"] = Function(f"dt.total_{name}", compute, "durations")


_total("days", "d")
_total("hours", "h")
_total("minutes", "m")
_total("seconds", "s")
_total("milliseconds", "ms")
_total("microseconds", "us")
_total("nanoseconds", "ns")
