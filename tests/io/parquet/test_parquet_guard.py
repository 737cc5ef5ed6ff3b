"""Parquet guard: no footer ends the process, whatever byte of it is wrong."""

from __future__ import annotations

import datetime as dt
import io
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kit import FakeStage, run_operator

from brim import col
from brim.errors import BrimError, CorruptInput
from brim.io.parquet.parquet_footer import open_footer
from brim.io.parquet.parquet_guard import check_chunks, short_statistics
from brim.io.parquet.read_parquet import parquet_source

TABLE = pa.table(
    {
        "n": pa.array([1, 2, 3]),
        "l": pa.array([[1], None, [2, 3]]),
        "b": pa.array([True, False, None]),
        "d": pa.array([dt.date(2026, 1, 1)] * 3),
        "s": pa.array(["a", "b", "c"]),
    }
)
FILTERS = (col("n") > 1, col("b") == True, col("d").is_null(), col("s") > "b")  # noqa: E712 - an expression


def written(table: pa.Table = TABLE) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, store_schema=False, write_batch_size=2)
    return sink.getvalue()


def footer_of(data: bytes) -> tuple[int, bytes]:
    """Where the footer begins, and the footer."""
    (length,) = struct.unpack("<i", data[-8:-4])
    return len(data) - 8 - length, data[-8 - length : -8]


def with_footer(data: bytes, footer: bytes) -> bytes:
    start, _ = footer_of(data)
    return data[:start] + footer + struct.pack("<i", len(footer)) + b"PAR1"


def test_no_byte_of_a_footer_ends_the_process(tmp_path):
    data, path = written(), tmp_path / "a.parquet"
    start, footer = footer_of(data)
    outcomes = set()
    for at in range(len(footer)):
        for value in {0, footer[at] - 1 & 0xFF, footer[at] ^ 0x10} - {footer[at]}:
            path.write_bytes(data[: start + at] + bytes([value]) + data[start + at + 1 :])
            try:
                source = parquet_source(path)
                for predicate in FILTERS:
                    list(source.with_filters((predicate.tree,)).units())
                outcomes.add("read")
            except BrimError as error:
                outcomes.add(type(error).__name__)
    assert outcomes >= {"read", "CorruptInput"}


def contradicting() -> bytes:
    """A histogram of three levels for a list, which has four."""
    data = written(pa.table({"l": [[1]] * 10}))
    _, footer = footer_of(data)
    assert b"\x46\x00\x00\x00\x14" in footer
    return with_footer(data, footer.replace(b"\x46\x00\x00\x00\x14", b"\x36\x00\x00\x14"))


def test_a_footer_that_contradicts_itself_is_corrupt_input_at_declaration(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(contradicting())
    with pytest.raises(CorruptInput, match=r"a\.parquet, row group 0, footer: Definition level histogram"):
        parquet_source(path)


def test_one_that_contradicts_itself_later_is_skipped_where_that_is_asked_for(tmp_path):
    (tmp_path / "a.parquet").write_bytes(written(pa.table({"l": [[7]]})))
    (tmp_path / "b.parquet").write_bytes(contradicting())
    source = parquet_source(tmp_path)
    with pytest.raises(BaseException) as failed:
        run_operator(source.operator())
    assert failed.group_contains(CorruptInput, match=r"b\.parquet, row group 0, footer")
    stage = FakeStage()
    out = run_operator(parquet_source(tmp_path, on_error="skip").operator(), stage=stage)
    assert out.table().to_pylist() == [{"l": [7]}]
    assert [(fact.rows, fact.reason[:20]) for fact in stage.facts] == [(10, "row group 0, footer:")]


def test_bounds_shorter_than_their_type_are_found_and_not_asked_for(tmp_path):
    path = tmp_path / "a.parquet"
    data = written(pa.table({"n": [1, 2, 3], "m": [4, 5, 6]}))
    _, footer = footer_of(data)
    whole = b"\x08" + struct.pack("<q", 5 + 1)  # the greatest of m, with its length
    assert footer.count(whole) == 2
    path.write_bytes(with_footer(data, footer.replace(whole, b"\x03\x06\x00\x00")))
    opened = open_footer(str(path))
    assert short_statistics(str(path), opened.footer) == {(0, 1)}
    assert opened.range(0, "n").high == 3
    assert opened.range(0, "m").high is None
    assert run_operator(parquet_source(path, columns=["n"]).operator()).table()["n"].to_pylist() == [1, 2, 3]
    with pytest.raises(BaseException) as failed:
        run_operator(parquet_source(path).operator())  # pyarrow's reader asks for them, too
    assert failed.group_contains(CorruptInput, match="row group 0: Unexpected end of stream")


def test_sound_footers_pass_and_read_nothing(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(written())
    opened = open_footer(str(path))
    check_chunks(opened.footer, opened.size, 0, range(opened.footer.num_columns))
    check_chunks(opened.footer, opened.size, 0, [])
    assert short_statistics(str(path), opened.footer) == frozenset()
    assert opened.range(0, "s").low == "a"


def test_statistics_of_a_footer_that_cannot_be_read_are_all_doubted(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(written(pa.table({"n": [1], "m": [2]})))
    opened = open_footer(str(path))
    path.write_bytes(b"\xff" * 40)
    assert short_statistics(str(path), opened.footer) == {(0, 0), (0, 1)}
