"""`.dt`: methods of expressions of dates, times, timestamps and durations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from brim.operators.expressions.tree import Tree
from brim.pipeline.namespaces.operand import call_tree

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class TimeNamespace(Generic[E]):
    """What `col(...).dt` offers; `wrap` makes an expression of a tree."""

    tree: Tree
    wrap: Callable[[Tree], E]

    def year(self) -> E:
        """The year.

        >>> col("a").dt.year()
        col("a").dt.year()
        """
        return self.wrap(call_tree("dt.year", self.tree))

    def quarter(self) -> E:
        """The quarter, 1 to 4.

        >>> col("a").dt.quarter()
        col("a").dt.quarter()
        """
        return self.wrap(call_tree("dt.quarter", self.tree))

    def month(self) -> E:
        """The month, 1 to 12.

        >>> col("a").dt.month()
        col("a").dt.month()
        """
        return self.wrap(call_tree("dt.month", self.tree))

    def week(self) -> E:
        """The week of ISO 8601, 1 to 53.

        >>> col("a").dt.week()
        col("a").dt.week()
        """
        return self.wrap(call_tree("dt.week", self.tree))

    def day(self) -> E:
        """The day of the month, 1 to 31.

        >>> col("a").dt.day()
        col("a").dt.day()
        """
        return self.wrap(call_tree("dt.day", self.tree))

    def ordinal_day(self) -> E:
        """The day of the year, 1 to 366.

        >>> col("a").dt.ordinal_day()
        col("a").dt.ordinal_day()
        """
        return self.wrap(call_tree("dt.ordinal_day", self.tree))

    def weekday(self) -> E:
        """The day of the week, Monday 1 to Sunday 7.

        >>> col("a").dt.weekday()
        col("a").dt.weekday()
        """
        return self.wrap(call_tree("dt.weekday", self.tree))

    def hour(self) -> E:
        """The hour, 0 to 23.

        >>> col("a").dt.hour()
        col("a").dt.hour()
        """
        return self.wrap(call_tree("dt.hour", self.tree))

    def minute(self) -> E:
        """The minute, 0 to 59.

        >>> col("a").dt.minute()
        col("a").dt.minute()
        """
        return self.wrap(call_tree("dt.minute", self.tree))

    def second(self) -> E:
        """The second, 0 to 59.

        >>> col("a").dt.second()
        col("a").dt.second()
        """
        return self.wrap(call_tree("dt.second", self.tree))

    def millisecond(self) -> E:
        """Milliseconds of the second, 0 to 999.

        >>> col("a").dt.millisecond()
        col("a").dt.millisecond()
        """
        return self.wrap(call_tree("dt.millisecond", self.tree))

    def microsecond(self) -> E:
        """Microseconds of the second, 0 to 999,999.

        >>> col("a").dt.microsecond()
        col("a").dt.microsecond()
        """
        return self.wrap(call_tree("dt.microsecond", self.tree))

    def is_leap_year(self) -> E:
        """Whether the year has 366 days.

        >>> col("a").dt.is_leap_year()
        col("a").dt.is_leap_year()
        """
        return self.wrap(call_tree("dt.is_leap_year", self.tree))

    def date(self) -> E:
        """The day, without the time.

        >>> col("a").dt.date()
        col("a").dt.date()
        """
        return self.wrap(call_tree("dt.date", self.tree))

    def time(self) -> E:
        """The time of the day.

        >>> col("a").dt.time()
        col("a").dt.time()
        """
        return self.wrap(call_tree("dt.time", self.tree))

    def truncate(self, every: str) -> E:
        """The beginning of the `every` it falls into: "15m", "1h", "1d", "1w" (from Monday), "1mo", "1q", "1y".

        >>> col("a").dt.truncate("1h")
        col("a").dt.truncate(every='1h')
        """
        return self.wrap(call_tree("dt.truncate", self.tree, every=every))

    def offset_by(self, by: str) -> E:
        """Moved by a span such as "2h", "-1d" or "1mo2d"; months keep the day, or take the last one there is.

        >>> col("a").dt.offset_by("1mo")
        col("a").dt.offset_by(by='1mo')
        """
        return self.wrap(call_tree("dt.offset_by", self.tree, by=by))

    def strftime(self, format: str) -> E:  # noqa: A002 - Polars' word
        """As text, in a format of C's strftime; `%S` are whole seconds, `%f` the fraction.

        >>> col("a").dt.strftime("%Y")
        col("a").dt.strftime(format='%Y')
        """
        return self.wrap(call_tree("dt.strftime", self.tree, format=format))

    def epoch(self, time_unit: str = "us") -> E:
        """Units of time (s, ms, us, ns or d) since 1970 in UTC, an int64.

        >>> col("a").dt.epoch("s")
        col("a").dt.epoch(time_unit='s')
        """
        return self.wrap(call_tree("dt.epoch", self.tree, time_unit=time_unit))

    def convert_time_zone(self, time_zone: str) -> E:
        """The same moment on the clock of another zone.

        >>> col("a").dt.convert_time_zone("Asia/Tokyo")
        col("a").dt.convert_time_zone(time_zone='Asia/Tokyo')
        """
        return self.wrap(call_tree("dt.convert_time_zone", self.tree, time_zone=time_zone))

    def replace_time_zone(self, time_zone: str | None) -> E:
        """The same clock reading in another zone, or in none.

        >>> col("a").dt.replace_time_zone("UTC")
        col("a").dt.replace_time_zone(time_zone='UTC')
        """
        return self.wrap(call_tree("dt.replace_time_zone", self.tree, time_zone=time_zone))

    def total_days(self) -> E:
        """Whole days of a duration, towards zero.

        >>> col("a").dt.total_days()
        col("a").dt.total_days()
        """
        return self.wrap(call_tree("dt.total_days", self.tree))

    def total_hours(self) -> E:
        """Whole hours of a duration, towards zero.

        >>> col("a").dt.total_hours()
        col("a").dt.total_hours()
        """
        return self.wrap(call_tree("dt.total_hours", self.tree))

    def total_minutes(self) -> E:
        """Whole minutes of a duration, towards zero.

        >>> col("a").dt.total_minutes()
        col("a").dt.total_minutes()
        """
        return self.wrap(call_tree("dt.total_minutes", self.tree))

    def total_seconds(self) -> E:
        """Whole seconds of a duration, towards zero.

        >>> col("a").dt.total_seconds()
        col("a").dt.total_seconds()
        """
        return self.wrap(call_tree("dt.total_seconds", self.tree))

    def total_milliseconds(self) -> E:
        """Whole milliseconds of a duration, towards zero.

        >>> col("a").dt.total_milliseconds()
        col("a").dt.total_milliseconds()
        """
        return self.wrap(call_tree("dt.total_milliseconds", self.tree))

    def total_microseconds(self) -> E:
        """Whole microseconds of a duration, towards zero.

        >>> col("a").dt.total_microseconds()
        col("a").dt.total_microseconds()
        """
        return self.wrap(call_tree("dt.total_microseconds", self.tree))

    def total_nanoseconds(self) -> E:
        """Whole nanoseconds of a duration, towards zero.

        >>> col("a").dt.total_nanoseconds()
        col("a").dt.total_nanoseconds()
        """
        return self.wrap(call_tree("dt.total_nanoseconds", self.tree))
