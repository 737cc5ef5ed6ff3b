"""Inflation: what it learns, how it cuts, and that it forgets slowly."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.events import Overshot
from brim.operators.inflation import PROBE_ROWS, PROBE_SHARE, SURE_PROBE_BYTES, Inflation

ratios = st.floats(0, 100, allow_nan=False)


def _batch(rows, width=1):
    return pa.record_batch({f"c{number}": pa.array(range(rows), pa.int64()) for number in range(width)})


@given(st.lists(ratios, min_size=1, max_size=30))
def test_the_estimate_is_on_the_safe_side_of_the_mean_and_within_what_was_seen(seen):
    inflation = Inflation(1000)
    for ratio in seen:
        inflation.learn(1_000_000, int(ratio * 1_000_000))
    assert min(seen) - 1e-5 <= inflation.mean <= max(seen) + 1e-5
    assert inflation.estimate >= inflation.mean


@given(ratios)
def test_what_is_always_the_same_is_estimated_as_it_is(ratio):
    inflation = Inflation(1000)
    for _ in range(20):
        inflation.learn(1_000_000, int(ratio * 1_000_000))
    assert inflation.estimate == pytest.approx(ratio, abs=1e-5)


def test_a_rise_is_followed_quickly_and_a_fall_slowly():
    rising, falling = Inflation(1000), Inflation(1000)
    for inflation, before in ((rising, 1), (falling, 10)):
        for _ in range(10):
            inflation.learn(100, 100 * before)
    rising.learn(100, 1_000)
    falling.learn(100, 100)
    assert rising.estimate > 10, "one look is enough to be safe from the next"
    assert falling.estimate > 9
    for _ in range(100):
        falling.learn(100, 100)
    assert falling.estimate < 1.5


def test_a_batch_that_weighs_nothing_teaches_nothing():
    inflation = Inflation(1000)
    inflation.learn(0, 500)
    assert inflation.mean is None
    assert inflation.estimate == 1.0


@given(st.integers(1, 10**9), st.integers(0, 10**9), ratios)
def test_what_a_call_is_expected_to_hold_is_at_most_a_piece(target, read, ratio):
    inflation = Inflation(target)
    inflation.learn(1_000_000, int(ratio * 1_000_000))
    assert 0 <= inflation.output_bytes(read) <= target


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 5_000), st.integers(1, 30_000), st.one_of(st.none(), ratios))
def test_the_parts_are_the_batch_and_their_output_is_a_piece_or_one_row(rows, target, ratio):
    batch = _batch(rows)
    inflation = Inflation(target)
    if ratio is not None:
        inflation.learn(1_000_000, int(ratio * 1_000_000))
    parts = list(inflation.cut(batch))
    assert pa.Table.from_batches(parts, batch.schema).equals(pa.Table.from_batches([batch]))
    for part in parts:
        assert part.num_rows == 1 or part.nbytes * max(1.0, inflation.estimate) <= 2 * target + 16


def test_the_first_part_is_a_probe_and_the_next_is_cut_by_what_it_taught():
    inflation = Inflation(160_000)
    parts = inflation.cut(_batch(100_000))
    probe = next(parts)
    assert probe.num_rows <= PROBE_ROWS
    assert probe.nbytes <= 160_000 / PROBE_SHARE * 2
    inflation.learn(probe.nbytes, 10 * probe.nbytes)
    assert next(parts).nbytes == pytest.approx(16_000, rel=0.01)
    inflation.learn(100, 2_000)
    assert next(parts).nbytes < 8_000, "asked for only when the one before is done"


def test_work_is_estimated_by_the_least_of_the_last_looks_because_others_allocate_too():
    inflation = Inflation(1_000_000, work_limit=600_000)
    for work in (900, 300, 5_000):
        inflation.learn(100, 100, work_bytes=work)
    assert inflation.work_bytes(50) == 150
    assert inflation.input_bytes == 200_000, "three bytes of work for each"
    for _ in range(8):
        inflation.learn(100, 100, work_bytes=600)
    assert inflation.input_bytes == 100_000, "what was seen long ago is forgotten"


def test_an_overshoot_halves_the_cut_at_once_and_it_grows_again_after_a_while():
    inflation = Inflation(1_000_000)
    inflation.learn(100, 100)
    assert inflation.overshot(100_000, 160_000) is None, "buffers are rounded up"
    assert inflation.input_bytes == 1_000_000
    assert inflation.overshot(100_000, 200_000) == Overshot(100_000, 200_000)
    assert inflation.input_bytes == 500_000
    sizes = []
    for _ in range(12):
        inflation.learn(100, 100)
        sizes.append(inflation.input_bytes)
    assert sizes == [500_000] * 8 + [625_000, 781_250, 976_562, 1_000_000]


def test_a_jump_is_told_once_and_growing_again_too():
    inflation = Inflation(1_000_000)
    told, overshoots = [], []
    for ratio in [1] * 100 + [50] * 30 + [1] * 300:
        lent = inflation.output_bytes(inflation.input_bytes)
        overshoots.append(inflation.overshot(lent, inflation.input_bytes * ratio))
        inflation.learn(inflation.input_bytes, inflation.input_bytes * ratio, rows=inflation.input_bytes // 10)
        if (fact := inflation.resized()) is not None:
            told.append(fact)
    assert len([fact for fact in overshoots if fact]) == 1
    assert "less a call" in told[0].reason
    assert told[0].rows < 1_000
    assert "more a call" in told[-1].reason
    assert told[-1].rows > 50_000
    assert len(told) < 20, "a line for each factor of two, not for each batch"


@given(st.integers(1, 10**9), st.floats(0.01, 100), st.integers(0, 10**9), st.integers(0, 10**6))
def test_the_first_cut_is_told_where_work_makes_it_half_of_what_the_output_would_allow(target, ratio, limit, work):
    inflation = Inflation(target, work_limit=limit)
    assert inflation.resized() is None, "nothing is known"
    inflation.learn(1_000_000, int(ratio * 1_000_000), rows=1_000, work_bytes=work)
    plain = max(1, int(target / max(1.0, inflation.estimate)))
    told = inflation.resized()
    assert (told is not None) == (inflation.input_bytes * 2 <= plain)
    if told is not None:
        assert told.rows == max(1, inflation.input_bytes // 1_000)
        assert told.reason.startswith("less a call")
        assert f"takes {inflation.work_estimate:.3g}" in told.reason
    assert inflation.resized() is None, "once"


def test_what_was_told_last_is_what_the_next_cut_is_compared_with():
    inflation = Inflation(1_000_000)
    inflation.learn(1_000_000, 1_000_000, rows=1_000)
    assert inflation.resized() is None, "nothing has changed"
    told = []
    for _ in range(4):
        inflation.halve()
        told.append(inflation.resized())
    assert [fact.rows for fact in told] == [500, 250, 125, 62]


def test_what_never_makes_more_than_it_reads_is_probed_with_all_of_a_small_batch():
    small, large = _batch(5000, 2), _batch(100_000, 8)
    assert Inflation(1 << 20, inflates=False).first(small).num_rows == 5000
    assert Inflation(1 << 20).first(small).num_rows <= PROBE_ROWS
    assert Inflation(1 << 20, inflates=False).first(large).nbytes <= 2 * SURE_PROBE_BYTES
    assert Inflation(1000, inflates=False).first(small).nbytes <= 2000, "never more than a piece"
