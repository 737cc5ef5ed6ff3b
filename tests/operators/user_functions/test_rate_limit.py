"""However calls come, no more begin in any span of time than the rate allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import PlanError
from brim.operators.user_functions.rate_limit import TokenBucket, parse_rate


@given(
    rate=st.floats(0.1, 1000),
    gaps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), min_size=1, max_size=40),
)
def test_no_span_has_more_calls_than_the_rate(rate, gaps):
    bucket, now, begun = TokenBucket(rate), 0.0, []
    for gap, count in gaps:
        now += gap
        wait = bucket.take(now, count)
        assert wait >= 0
        begun.append((now + wait, count))
    for first, (start, _) in enumerate(begun):
        for last in range(first + 1, len(begun)):
            calls = sum(count for _, count in begun[first:last])
            assert calls <= rate * (begun[last][0] - start) * (1 + 1e-6) + 1e-6


@pytest.mark.parametrize("rate", [0, -1, "0/s", "10", "10/fortnight", "/s", None, True])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(PlanError, match="no rate"):
        parse_rate(rate)
