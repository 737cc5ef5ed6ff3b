"""Rows that are expected: of every node that keeps, cuts or multiplies a known number of them."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col
from brim.pipeline.expected_rows import expected_rows


def expected(pipeline):
    return expected_rows(pipeline.node)[pipeline.node.id]


def test_it_agrees_with_what_runs(tmp_path):
    numbers = brim.range(1000)
    wide = numbers.with_columns(a=col("id") * 2, b=col("id") * 3)
    for pipeline in (
        numbers,
        numbers.select(x=col("id") + 1),
        numbers.limit(30),
        numbers.limit(3000),
        numbers.offset(990),
        numbers.offset(3000),
        numbers.into_batches(7),
        wide.unpivot(["a", "b"], index=["id"]),
        numbers.concat(numbers.head(5), numbers.offset(998)),
    ):
        assert expected(pipeline) == pipeline.count_rows(memory="128MiB", spill_dir=tmp_path)


def test_parquet_files_say_how_many_rows_they_have(tmp_path):
    brim.range(123).write_parquet(tmp_path / "n.parquet").run_blocking(memory="128MiB", spill_dir=tmp_path)
    assert expected(brim.read_parquet(tmp_path / "n.parquet").with_columns(m=col("id") + 1)) == 123


def test_nobody_knows_after_a_filter_or_of_an_iterable():
    assert expected(brim.range(9).filter(col("id") > 3)) is None
    assert expected(brim.range(9).filter(col("id") > 3).limit(2)) is None
    assert expected(brim.from_batches(list, pa.schema([("n", pa.int64())])).concat()) is None


def test_of_two_that_share_an_id_nobody_knows_unless_they_are_alike():
    left, right = brim.range(10).with_columns(k=col("id")), brim.range(30).with_columns(k=col("id")).drop("id")
    assert expected_rows(left.join(right, on="k").node)["range-1"] is None
    assert expected_rows(left.concat(left).node)["range-1"] == 10
    assert expected(left.concat(brim.range(30).with_columns(k=col("id")))) == 40


def test_what_has_ended_is_known_and_so_is_what_follows_from_it():
    node = brim.range(9).filter(col("id") > 3).select(x=col("id") + 1).filter(col("x") > 7).node
    assert expected_rows(node, {"range-1": 9}) == {"range-1": 9, "filter-2": None, "select-3": None, "filter-4": None}
    known = expected_rows(node, {"range-1": 9, "filter-2": 5})
    assert known == {"range-1": 9, "filter-2": 5, "select-3": 5, "filter-4": None}
