"""Row filter: rows that nobody wants are left out while they are read."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import FakeStage, RealThreads, run_operator

import brim
from brim import col
from brim.errors import CorruptInput, ExpressionFailed
from brim.events import RowsFailed
from brim.io.parquet.read_parquet import parquet_source
from brim.io.parquet.row_filter import row_filter
from brim.sizes import KIB, held_bytes

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string()), ("l", pa.list_(pa.int64()))])


def taken(*expressions) -> bool:
    return row_filter([expression.tree for expression in expressions], SCHEMA) is not None


def test_only_what_has_a_value_for_every_row_is_applied():
    assert taken(col("n") > 1)
    assert taken((col("n") > 1) | ~col("s").is_in(["a", "b"]))
    assert taken(col("n").is_between(1, 5) & col("s").is_not_null())
    assert not taken(col("n") * 2 > 1)
    assert not taken(col("s").cast(pa.int64()) > 1)
    assert not taken(col("l").is_null())
    assert not taken(col("folder") == "x")
    assert not taken()


def test_a_conjunction_is_applied_as_far_as_it_goes():
    found = row_filter([((col("n") > 1) & (col("n") * 2 > 1)).tree], SCHEMA)
    assert found is not None
    batch = pa.record_batch({"n": [1, 2, None], "s": ["a", "b", "c"], "l": [[1], [2], [3]]}, schema=SCHEMA)
    assert found.keep(batch, trusted=False)["n"].to_pylist() == [2]


def test_rows_are_left_out_and_the_rest_gathered_into_full_batches(tmp_path):
    rows = 100_000
    table = pa.table({"n": range(rows), "s": [f"row {i}" for i in range(rows)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=rows // 2)
    source = parquet_source(tmp_path).with_filters(((col("n") % 10 == 0).tree, (col("s") >= "row 5").tree))
    assert source.rows is None
    batches = run_operator(source.operator(), stage=FakeStage(batch_bytes=64 * KIB, threads=RealThreads(2))).batches
    found = pa.Table.from_batches(batches)
    expected = [i for i in range(rows) if f"row {i}" >= "row 5"]
    assert found["n"].to_pylist() == expected
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB
    assert sum(batch.nbytes < 32 * KIB for batch in batches) <= 2


def test_the_filter_above_says_what_is_wrong(tmp_path):
    pq.write_table(pa.table({"n": [1, 2, 3], "s": ["1", "x", "3"]}), tmp_path / "a.parquet")
    wrong = (col("n") < 3) & (col("s").cast(pa.int64()) > 0)
    with pytest.raises(brim.StageFailed) as failed:
        brim.read_parquet(tmp_path).filter(wrong).collect_blocking(memory="256MiB")
    assert isinstance(failed.value.__cause__, ExpressionFailed)


def test_invalid_text_is_corrupt_where_it_is_kept_or_read_by_the_filter(tmp_path):
    body = [b"good", b"\xff\xff", b"fine"] * 100
    schema = pa.schema([("n", pa.int64()), ("s", pa.string())])
    bad = pa.StringArray.from_buffers(300, *pa.array(body, pa.binary()).buffers()[1:])
    pq.write_table(pa.table({"n": list(range(300)), "s": bad}, schema=schema), tmp_path / "a.parquet")
    source = parquet_source(tmp_path)
    good = run_operator(source.with_filters(((col("n") == 0).tree,)).operator()).table()
    assert good.to_pylist() == [{"n": 0, "s": "good"}]
    for predicate in (col("n") == 1, col("s") == "good"):
        with pytest.raises(BaseException) as failed:
            run_operator(source.with_filters((predicate.tree,)).operator())
        assert failed.group_contains(CorruptInput, match="row group 0")


def test_rows_gathered_before_a_damage_are_sent_before_it_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    body = pa.array([f"row {i}" for i in range(40_000)])
    pq.write_table(pa.table({"n": range(40_000), "s": body}), path, use_dictionary=False, compression="none")
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    middle = chunk.data_page_offset + chunk.total_compressed_size // 2
    data[middle : middle + 4000] = b"\xff" * 4000  # lengths of texts that cannot be
    path.write_bytes(data)
    source = parquet_source(path, on_error="skip").with_filters(((col("n") < 100).tree,))
    stage = FakeStage(batch_bytes=16 * KIB)
    found = run_operator(source.operator(), stage=stage).table()
    assert found["n"].to_pylist() == list(range(100))
    (fact,) = stage.facts
    assert isinstance(fact, RowsFailed)
    assert 0 < fact.rows < 40_000
