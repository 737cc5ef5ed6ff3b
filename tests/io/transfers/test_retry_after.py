from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.io.transfers.retry_after import retry_after_s


@given(st.text(max_size=40), st.one_of(st.none(), st.text(max_size=40)))
def test_a_retry_after_that_makes_no_sense_is_none_or_a_time(value, date):
    seconds = retry_after_s(value, date, datetime(2026, 1, 1, tzinfo=UTC))
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 17 ", 17.0),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 00:01:00 -0000", 60.0),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0.0),
        ("Thu, 99 Jan 2026 00:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_s(value, None, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_a_date_is_measured_from_the_servers_own_clock():
    wish, date = "Thu, 01 Jan 2026 00:01:00 GMT", "Thu, 01 Jan 2026 00:00:30 GMT"
    assert retry_after_s(wish, date, datetime(1970, 1, 1, tzinfo=UTC)) == 30
