"""Sizes: what a text means, what a batch weighs, and how it is cut."""

from __future__ import annotations

import string
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.errors import PlanError
from brim.sizes import GIB, KIB, MIB, apart, cut, format_size, held_bytes, owned, parse_size

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": KIB, "MiB": MIB, "GiB": GIB}


@given(st.integers(1, 10**9), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]), st.booleans())
def test_a_number_and_a_unit_mean_their_product(number, unit, space, lower):
    text = f"{number}{space}{unit}"
    assert parse_size(text.lower() if lower else text) == number * UNITS[unit]


@given(st.integers(1, 2**62))
def test_an_integer_means_itself_to_the_last_byte_as_a_number_and_as_text(size):
    assert parse_size(size) == size
    assert parse_size(str(size)) == size


@given(st.decimals(0, 10**6, places=3), st.sampled_from(sorted(UNITS)))
def test_a_fraction_is_cut_to_whole_bytes_and_what_comes_to_none_is_refused(number, unit):
    size = int(number * UNITS[unit])
    if size:
        assert parse_size(f"{number}{unit}") == size
    else:
        with pytest.raises(PlanError, match="is no size"):
            parse_size(f"{number}{unit}")


@given(st.integers(1, 100), st.integers(100, 2**50))
def test_a_percentage_is_of_the_whole(percent, whole):
    assert parse_size(f"{percent}%", whole) == whole * percent // 100
    with pytest.raises(PlanError):
        parse_size(f"{percent}%")


@pytest.mark.parametrize(
    "size", [0, -1, True, False, 1.5, None, b"1MiB", "", "MiB", "-1MiB", "1 XB", "1e3", "0", "0%", "0.0001KiB", "٣ MiB x", [], "1,5MB"]
)  # fmt: skip
def test_what_is_no_size_is_refused_by_name(size):
    with pytest.raises(PlanError, match="size"):
        parse_size(size, whole=1000)


@given(
    st.one_of(st.text(string.printable, max_size=20), st.from_regex(r"\A\d{1,400}(\.\d{1,400})?\s?[a-zA-Z%]{0,3}\Z"))
)
def test_any_text_is_a_positive_size_or_a_plan_error(text):
    with suppress(PlanError):
        assert parse_size(text, whole=10**9) > 0


@given(st.integers(0, 2**60))
def test_a_size_for_people_is_right_to_a_tenth_of_its_unit(size):
    text = format_size(size)
    number, unit = text.split()
    assert float(number) * UNITS[unit] == pytest.approx(size, abs=UNITS[unit] * 0.051)


texts = st.one_of(st.none(), st.text(max_size=3), st.text(min_size=200, max_size=2000))
arrays = st.one_of(
    st.lists(texts, max_size=60).map(lambda values: pa.array(values, pa.string())),
    st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), max_size=60).map(lambda v: pa.array(v, pa.int64())),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=60).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.lists(texts, max_size=4), max_size=40).map(lambda v: pa.array(v, pa.large_list(pa.string()))),
    st.lists(st.fixed_dictionaries({"a": texts, "b": st.integers(0, 9)}), max_size=40).map(
        lambda v: pa.array(v, pa.struct({"a": pa.string(), "b": pa.int8()}))
    ),
    st.lists(st.none(), max_size=40).map(lambda v: pa.array(v, pa.null())),
)
batches = st.tuples(arrays, arrays).map(
    lambda pair: pa.record_batch({"a": pair[0][: min(map(len, pair))], "b": pair[1][: min(map(len, pair))]})
)


@settings(max_examples=200, deadline=None)
@given(batches, st.integers(1, 5_000))
def test_the_pieces_of_a_cut_are_the_batch_and_each_is_small_or_one_row(batch, piece_bytes):
    pieces = list(cut(batch, piece_bytes))
    assert pa.Table.from_batches(pieces, batch.schema).equals(pa.Table.from_batches([batch], batch.schema))
    assert all(piece.num_rows for piece in pieces)
    assert all(piece.num_rows == 1 or piece.nbytes <= 2 * piece_bytes for piece in pieces)


@settings(max_examples=200, deadline=None)
@given(batches, st.data())
def test_what_is_owned_is_equal_and_pins_little_beyond_its_own_bytes(batch, data):
    start = data.draw(st.integers(0, batch.num_rows))
    seen = batch.slice(start, data.draw(st.integers(0, batch.num_rows)))
    own = owned(seen)
    assert own.equals(seen)
    assert held_bytes(own) <= 2 * own.nbytes + 4 * KIB
    assert (own is seen) == (held_bytes(seen) <= 2 * seen.nbytes + 4 * KIB)


def test_a_small_slice_of_a_large_batch_weighs_all_of_it_until_it_is_owned():
    large = pa.record_batch({"x": pa.array(range(1_000_000), pa.int64())})
    few = large.slice(500_000, 10)
    assert few.nbytes == 80
    assert held_bytes(few) >= 8_000_000
    assert held_bytes(owned(few)) < 5 * KIB


def test_a_batch_without_rows_has_no_pieces():
    assert list(cut(pa.record_batch({"x": pa.array([], pa.int64())}), 1)) == []


def test_a_column_of_an_ipc_message_does_not_keep_the_message():
    batch = pa.record_batch({"a": [1], "s": ["x" * 100_000]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    read = pa.ipc.open_stream(sink.getvalue()).read_next_batch()
    assert read["a"].buffers()[1].parent.size > 100_000
    assert apart(read)["a"].buffers()[1].parent is None
    assert apart(read).equals(batch)
    assert apart(batch) is batch
