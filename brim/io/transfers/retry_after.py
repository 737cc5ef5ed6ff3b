"""Retry-After: how long a server asks to be left alone, from its header. Pure; hostile values mean nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DIGITS_MOST = 12


def retry_after_s(value: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds meant by a Retry-After header, None where there is none that can be read.

    `date` is the answer's Date header: the distance to an HTTP date is right even where clocks are not.
    Without it `now` stands in.

    >>> retry_after_s("120", None, datetime.now(UTC))
    120.0
    >>> retry_after_s("Wed, 21 Oct 2026 07:28:10 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", datetime.now(UTC))
    10.0
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:DIGITS_MOST]) if len(value) <= DIGITS_MOST else None
    until = _http_date(value)
    if until is None:
        return None
    return max(0.0, (until - (_http_date(date or "") or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
