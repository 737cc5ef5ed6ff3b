"""Read CSV."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from kit import FakeStage, run_operator

from brim.errors import BrimError, CorruptInput, LimitExceeded, ObjectMissing, PlanError, SchemaMismatch, UnknownColumn
from brim.events import RowsFailed
from brim.io.csv.csv_text import open_quote
from brim.io.csv.read_csv import BLOCK_BYTES, csv_source
from brim.sizes import KIB, held_bytes


def write(path, data):
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def table_of(source, **options) -> pa.Table:
    try:
        batches = run_operator(source.operator(), stage=FakeStage(**options)).batches
    except ExceptionGroup as group:
        (error,) = group.exceptions
        raise error from None
    return pa.Table.from_batches(batches, schema=source.schema)


def test_types_are_found_and_nulls_are_not_empty_texts(tmp_path):
    path = write(tmp_path / "a.csv", 'i,f,s,b,d,e\n1,1.5,x,true,2024-01-02,\n,2,"",false,,\n')
    source = csv_source(path)
    assert source.schema.types == [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32(), pa.string()]
    rows = table_of(source).to_pylist()
    assert [row["s"] for row in rows] == ["x", ""]
    assert rows[1] == {"i": None, "f": 2.0, "s": "", "b": False, "d": None, "e": None}


def test_values_may_hold_line_ends_and_quotes(tmp_path):
    path = write(tmp_path / "a.csv", 'a,b\r\n1,"x\r\n""y"""\r\n2,5" pipe\r\n')
    assert table_of(csv_source(path)).to_pylist() == [{"a": 1, "b": 'x\r\n"y"'}, {"a": 2, "b": '5" pipe'}]


def test_files_are_read_in_order_by_the_types_of_the_first(tmp_path):
    write(tmp_path / "a.csv", "x,y\n1,a\n")
    write(tmp_path / "b.csv", "y,x\nb,2\n")
    source = csv_source(tmp_path)
    assert table_of(source).to_pylist() == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    assert table_of(source.with_columns(("y",))).to_pylist() == [{"y": "a"}, {"y": "b"}]
    assert table_of(source.with_columns(())).num_rows == 2
    with pytest.raises(UnknownColumn):
        csv_source(tmp_path, columns=["z"])
    (tmp_path / "b.csv").write_text("x\n3\n")
    with pytest.raises(SchemaMismatch, match=r"b\.csv.*'y'"):
        table_of(source)


def test_options_are_obeyed(tmp_path):
    path = write(tmp_path / "a.tsv", "1\tNA\t'\n2\tb\t\"\n")
    source = csv_source(path, delimiter="\t", header=False, null_values=["NA"], quoting=False)
    assert table_of(source).to_pylist() == [
        {"column_1": 1, "column_2": None, "column_3": "'"},
        {"column_1": 2, "column_2": "b", "column_3": '"'},
    ]
    schema = pa.schema([("i", pa.int8()), ("s", pa.string()), ("t", pa.large_string())])
    declared = csv_source(path, delimiter="\t", header=False, schema=schema, quoting=False)
    assert table_of(declared).schema == schema
    with pytest.raises(PlanError, match="delimiter"):
        csv_source(path, delimiter="||")


def test_batches_are_bounded(tmp_path):
    path = write(tmp_path / "a.csv", "x,y\n" + "".join(f"{i},{'v' * (i % 50)}\n" for i in range(100_000)))
    source = csv_source(path)
    batches = run_operator(source.operator(), stage=FakeStage(batch_bytes=64 * KIB)).batches
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB
    assert pa.Table.from_batches(batches)["x"].to_pylist() == list(range(100_000))
    few = run_operator(source.with_limit(10).operator(), stage=FakeStage(batch_bytes=64 * KIB)).batches
    assert len(few) == 1


BIG = "x,y\n" + "1,a\n" * (BLOCK_BYTES // 4)

BAD = [
    ("ragged", "a,b\n1,2\n3\n", "row 3", "Expected 2 columns, got 1"),
    ("too many", "a,b\n1,2\n3,4,5\n", "row 3", "got 3"),
    ("zero byte", "a,b\n1,x\0y\n", "line 2", "zero byte"),
    ("utf-16", "a,b\n1,2\n".encode("utf-16"), "line 1", "UTF-16"),
    ("invalid utf-8", b"a,b\n1,ok\n2,\xff\n", "line 3", "invalid UTF-8"),
    ("open quote", 'a,b\n1,"xx\n2,3\n4,5\n', "line 2", "does not end"),
    ("open quote at the end", 'a,b\n1,2\n3,"x', "line 3", "does not end"),
    (
        "a type that changes later",
        BIG + "oops,b\n",
        f"row {BLOCK_BYTES // 4 + 2}, column 'x'",
        "int64.*'oops'.*schema=",
    ),
    ("empty", "", "line 1", "nothing in it"),
]


@pytest.mark.parametrize(("data", "where", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_text_is_named_by_file_and_place(tmp_path, data, where, reason):
    path = write(tmp_path / "a.csv", data)
    with pytest.raises(CorruptInput, match=reason) as failed:
        table_of(csv_source(path))
    assert failed.value.source == str(path)
    assert failed.value.where == where


def test_rows_and_headers_without_end_are_limited(tmp_path):
    with pytest.raises(LimitExceeded, match="size of the first row, where no schema= says the types"):
        csv_source(write(tmp_path / "a.csv", 'a,b\n1,"' + "x\n" * BLOCK_BYTES + '"\n'))
    with pytest.raises(LimitExceeded, match="size of a row"):
        csv_source(write(tmp_path / "a.csv", "a" * 2 * BLOCK_BYTES + ",b\n1,2\n"))
    with pytest.raises(LimitExceeded, match="number of columns"):
        csv_source(write(tmp_path / "b.csv", ",".join(map(str, range(20_000))) + "\n"))
    with pytest.raises(PlanError, match="more than one column"):
        csv_source(write(tmp_path / "c.csv", "a,a\n1,2\n"))
    with pytest.raises(ObjectMissing):
        csv_source(tmp_path / "d.csv")


def test_skipping_leaves_out_rows_and_counts_them(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n")
    stage = FakeStage()
    out = run_operator(csv_source(path, on_error="skip").operator(), stage=stage)
    assert out.table().to_pylist() == [{"a": 1, "b": 2}, {"a": 7, "b": 8}]
    assert sum(fact.rows for fact in stage.facts if isinstance(fact, RowsFailed)) == 2
    write(tmp_path / "b.csv", "a,b\nx,y\n")
    source = csv_source([path, tmp_path / "b.csv"], on_error="skip")
    stage = FakeStage()
    assert run_operator(source.operator(), stage=stage).table().num_rows == 2
    assert "int64" in stage.facts[-1].reason


def test_an_open_quote_is_found_wherever_blocks_are_cut():
    text = b'a,"b""",5" x\n"c,\n""d",e,"open\n""'
    for size in range(1, len(text) + 1):
        blocks = [text[i : i + size] for i in range(0, len(text), size)]
        assert open_quote(blocks, ",") == text.index(b'"open')
    assert open_quote([b'"a","b"'], ",") is None
    assert open_quote([b'x"'], ",") is None


def test_random_bytes_never_end_the_process(tmp_path):
    import random

    draw = random.Random(1)
    outcomes = set()
    for _ in range(300):
        data = bytes(draw.choice(b'ab,1."\n\r\0\xff;') for _ in range(draw.randrange(60)))
        path = write(tmp_path / "a.csv", b"x,y\n" + data)
        try:
            table_of(csv_source(path))
            outcomes.add("read")
        except BrimError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_csv_of_duckdb_is_read(tmp_path):
    path = tmp_path / "d.csv"
    duckdb.sql(f"copy (select i, 'x,' || i s, i / 2.0 f from range(3000) r(i)) to '{path}' (header)")
    table = table_of(csv_source(path))
    assert table.num_rows == 3000
    assert table.to_pylist()[3] == {"i": 3, "s": "x,3", "f": 1.5}
