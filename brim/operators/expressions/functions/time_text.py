"""`.str.to_date` and its like, and `.dt.strftime`: times read from text and written as text.

Formats are those of C's strptime and strftime; `%f` is the fraction of a second. Without a format, ISO 8601 is read.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.cast import cast
from brim.operators.expressions.function import Function, Values, each_row, entry
from brim.operators.expressions.functions.strings import TEXT, meet_texts

FUNCTIONS: dict[str, Function] = {}
_LONG_FORMS = (("%F", "%Y-%m-%d"), ("%T", "%H:%M:%S"), ("%R", "%H:%M"), ("%D", "%m/%d/%y"), ("%.f", ".%f"))
TIMES = "dates, times or timestamps"


@entry(FUNCTIONS, "str.to_date", TEXT, meet_texts)
def to_date(text: Values, format: str | None = None, strict: bool = True) -> pa.Array:  # noqa: A002 - Polars' word
    """The date that it writes.

    >>> call("str.to_date", ["2024-02-29"]), call("str.to_date", ["29.2.24", "?"], format="%d.%m.%y", strict=False)
    ([datetime.date(2024, 2, 29)], [datetime.date(2024, 2, 29), None])
    """
    if format is None:
        return cast(text, pa.date32(), strict=strict)
    return pc.cast(_parsed(text, format, "s", strict=strict), pa.date32())


@entry(FUNCTIONS, "str.to_datetime", TEXT, meet_texts)
def to_datetime(
    text: Values,
    format: str | None = None,  # noqa: A002 - Polars' word
    time_unit: str = "us",
    strict: bool = True,
) -> pa.Array:
    """The timestamp that it writes; with `%z` in the format one in UTC, else one without a zone.

    >>> call("str.to_datetime", ["2024-02-29 12:30:00"])
    [datetime.datetime(2024, 2, 29, 12, 30)]
    >>> call("str.to_datetime", ["29/02/2024 12:30:00.25"], format="%d/%m/%Y %H:%M:%S.%f")
    [datetime.datetime(2024, 2, 29, 12, 30, 0, 250000)]
    """
    if format is None:
        return cast(text, pa.timestamp(time_unit), strict=strict)
    return _parsed(text, format, time_unit, strict=strict)


def _parsed(text: Values, form: str, unit: str, *, strict: bool) -> pa.Array:
    for short, long in _LONG_FORMS:
        form = form.replace(short, long)
    if "%f" not in form:
        return pc.strptime(text, format=form, unit=unit, error_is_null=not strict)
    return _parsed_by_python(text, form, unit, strict=strict)


def _parsed_by_python(text: pa.Array, form: str, unit: str, *, strict: bool) -> pa.Array:
    """C knows no fractions of a second, so Python parses, each different text once."""

    def parsed(written: str) -> datetime | None:
        try:
            moment = datetime.strptime(written, form)  # noqa: DTZ007 - naive when the format has no zone
        except ValueError:
            if strict:
                raise
            return None
        return moment if moment.tzinfo is None else moment.astimezone(UTC)

    different = text.dictionary_encode()
    moments = each_row(parsed, different.dictionary, pa.timestamp("us", "UTC" if "%z" in form else None))
    return cast(moments.take(different.indices), pa.timestamp(unit, moments.type.tz))


@entry(FUNCTIONS, "dt.strftime", TIMES)
def strftime(times: Values, format: str) -> pa.Array:  # noqa: A002 - Polars' word
    """As text, in `format`; `%S` are whole seconds, `%f` the fraction in the digits of the unit.

    >>> call("dt.strftime", [datetime(2024, 2, 29, 12, 30, 5)], format="%d.%m.%Y %H:%M:%S")
    ['29.02.2024 12:30:05']
    """
    form = format.replace("%S.%f", "%S").replace("%S%.f", "%S").replace("%T.%f", "%T").replace("%T%.f", "%T")
    if form == format and types.is_timestamp(times.type):
        times = pc.cast(pc.floor_temporal(times, unit="second"), pa.timestamp("s", times.type.tz))
    return pc.strftime(times, format=form)
