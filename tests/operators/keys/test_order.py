"""The order of rows: that of their values, stable, as Python, DuckDB and pyarrow have it."""

from __future__ import annotations

import math
from functools import cmp_to_key

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.keys.key_columns import NESTED, SORTABLE, column, kinds, rows_of
from pyarrow import compute as pc

from brim.errors import PlanError
from brim.operators.keys.order import check_sortable, sort_order
from brim.operators.keys.sort_words import word_order


def order_key(value):
    """What Python orders as brim orders values."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    return value.encode() if isinstance(value, str) else value


def by_hand(rows, descending, nulls_first):
    def compare(left, right):
        for one, other, down in zip(rows[left], rows[right], descending, strict=True):
            if (one is None) != (other is None):
                return -1 if (one is None) == nulls_first else 1
            if one is not None and order_key(one) != order_key(other):
                return -1 if (order_key(one) < order_key(other)) != down else 1
        return 0

    return sorted(range(len(rows)), key=cmp_to_key(compare))


@pytest.mark.parametrize("kind", **kinds(SORTABLE))
@settings(max_examples=15, deadline=None)
@given(data=st.data(), size=st.integers(0, 30), down=st.booleans(), nulls_first=st.booleans())
def test_the_order_of_one_column_of_any_type(kind, data, size, down, nulls_first):
    values, keys = data.draw(rows_of(kind, size))
    order = sort_order([keys], [down], nulls_first)
    assert order.dtype == np.int64
    assert order.tolist() == by_hand([(value,) for value in values], [down], nulls_first)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), size=st.integers(1, 40), nulls_first=st.booleans())
def test_the_order_of_several_columns(data, size, nulls_first):
    picked = data.draw(st.lists(st.sampled_from(list(SORTABLE)), min_size=1, max_size=4))
    down = data.draw(st.lists(st.booleans(), min_size=len(picked), max_size=len(picked)))
    values, columns = zip(*(data.draw(rows_of(kind, size)) for kind in picked), strict=True)
    rows = list(zip(*values, strict=True))
    assert sort_order(columns, down, nulls_first).tolist() == by_hand(rows, down, nulls_first)


ROWS = 60_000


def _many(seed):
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 2**63, ROWS)
    return {
        "doubles": pa.array(rng.normal(size=ROWS)),
        "uniform": pa.array(rng.random(ROWS)),
        "some doubles": pa.array(rng.normal(size=500)[words % 500]),
        "doubles and nulls": pa.array(rng.normal(size=ROWS), mask=rng.random(ROWS) < 0.2),
        "integers": pa.array(words - 2**62),
        "close": pa.array(words % 1000),
        "heavy": pa.array(rng.zipf(1.2, ROWS).clip(0, 2**62)),
        "few bits apart": pa.array((words % 2) << 60 | (words % 3)),
        "texts": pa.array([f"{word % 99_991:x}" for word in words.tolist()]),
        "few texts": pa.array([f"category {word % 50}" for word in words.tolist()]),
        "long texts": pa.array([f"{'x' * 30}{word % 9973:07}{word % 7}" for word in words.tolist()]),
        "bytes": pa.array([bytes([word % 251]) * (word % 19) for word in words.tolist()]),
    }


MANY = _many(1)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("name", MANY)
def test_many_rows_are_ordered_as_pyarrow_orders_them(name, down):
    """Nulls last and no NaN: there the two agree on every direction."""
    way = "descending" if down else "ascending"
    wanted = pc.sort_indices(MANY[name], sort_keys=[("", way)])
    assert (sort_order([MANY[name]], [down], False) == wanted.to_numpy()).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 1000, ROWS])
@pytest.mark.parametrize("most", [1, 250, 2**16, 2**40, 2**64])
def test_words_of_any_size_are_ordered_as_numpy_orders_them(rows, most):
    found = np.random.default_rng(rows).integers(0, most - 1, rows, np.uint64, endpoint=True)
    assert (word_order(found) == np.argsort(found, kind="stable")).all()


@pytest.mark.parametrize(("one", "other"), [("few texts", "doubles"), ("close", "texts"), ("few bits apart", "heavy")])
def test_many_rows_of_two_columns_are_ordered_as_pyarrow_orders_them(one, other):
    batch = pa.RecordBatch.from_arrays([MANY[one], MANY[other]], ["one", "other"])
    wanted = pc.sort_indices(batch, sort_keys=[("one", "descending"), ("other", "ascending")])
    assert (sort_order([MANY[one], MANY[other]], [True, False], False) == wanted.to_numpy()).all()


@pytest.mark.parametrize("nulls", ["FIRST", "LAST"])
@pytest.mark.parametrize(
    "kind", [kind for kind in SORTABLE if kind in (pa.float64(), pa.string(), pa.int64(), pa.bool_())]
)
def test_duckdb_orders_alike(kind, nulls):
    rng = np.random.default_rng(5)
    values = [*SORTABLE[kind], None]
    rows = pa.table(
        {"key": column(kind, [values[place] for place in rng.integers(0, len(values), 500)]), "row": range(500)}
    )
    with duckdb.connect() as db:
        for way in ("ASC", "DESC"):
            wanted = db.sql(f"SELECT row FROM rows ORDER BY key {way} NULLS {nulls}, row").fetchnumpy()["row"]
            order = sort_order([rows["key"].combine_chunks()], [way == "DESC"], nulls == "FIRST")
            assert (order == wanted).all()


def test_long_texts_that_begin_alike_are_compared_by_pyarrow():
    texts = ["a" * 2_000_000, None, "a" * 1_999_999 + "b", "a" * 2_000_000, "", "a" * 1_000_000]
    rows = [(text, number) for text in texts for number in (2, 1, 2, None)]
    columns = [pa.array([text for text, _ in rows]), pa.array([number for _, number in rows])]
    for nulls_first in (False, True):
        wanted = by_hand(rows, [True, False], nulls_first)
        assert sort_order(columns, [True, False], nulls_first).tolist() == wanted
        wanted = by_hand([row[::-1] for row in rows], [False, True], nulls_first)
        assert sort_order(columns[::-1], [False, True], nulls_first).tolist() == wanted


@pytest.mark.parametrize("kind", **kinds(NESTED))
def test_lists_structs_and_intervals_have_no_order(kind):
    if pa.types.is_run_end_encoded(kind):
        check_sortable("key", kind)
        return
    with pytest.raises(PlanError, match=r"^key: "):
        check_sortable("key", kind)
    with pytest.raises(PlanError, match=r"^key: "):
        check_sortable("key", pa.dictionary(pa.int8(), kind))


def test_what_can_be_sorted():
    for kind in SORTABLE:
        check_sortable("key", kind)
