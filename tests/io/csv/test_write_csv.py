"""Write CSV."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import run_operator

from brim.errors import PlanError, SchemaMismatch
from brim.io.csv.read_csv import csv_source
from brim.io.csv.write_csv import csv_sink


def write(sink, table):
    sink.check(table.schema)
    run_operator(sink.operator(table.schema), table.to_batches(max_chunksize=3))


def read(path, **options) -> pa.Table:
    source = csv_source(path, **options)
    return pa.Table.from_batches(run_operator(source.operator()).batches, schema=source.schema)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SCHEMA = pa.schema(
    [
        ("i", pa.int64()),
        ("f", pa.float64()),
        ("s", pa.string()),
        ("b", pa.bool_()),
        ("d", pa.date32()),
        ("t", pa.timestamp("us")),
        ("n", pa.decimal128(12, 2)),
    ]
)
ROWS = st.fixed_dictionaries(
    {
        "i": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "f": st.one_of(st.none(), st.floats(allow_nan=False)),
        "s": st.one_of(st.none(), TEXT, st.sampled_from(["", '"', "a,b", "x\r\ny", "\n", "NA", " "])),
        "b": st.one_of(st.none(), st.booleans()),
        "d": st.one_of(st.none(), st.dates()),
        "t": st.one_of(st.none(), st.datetimes()),
        "n": st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=2)),
    }
)


@given(rows=st.lists(ROWS, max_size=8), delimiter=st.sampled_from([",", ";", "\t", "|"]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_written_and_read_back_equal(tmp_path, rows, delimiter):
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write(csv_sink(tmp_path / "a.csv", mode="overwrite", delimiter=delimiter), table)
    assert read(tmp_path / "a.csv", schema=SCHEMA, delimiter=delimiter).to_pylist() == table.to_pylist()


def test_duckdb_reads_a_folder_of_partitions(tmp_path):
    table = pa.table({"i": range(100), "k": [f"k {i % 3}" for i in range(100)], "s": ['say "x", y'] * 100})
    write(csv_sink(tmp_path / "out", partition_by="k"), table)
    found = duckdb.sql(
        f"select count(*), sum(i), count(distinct k), max(s) from read_csv('{tmp_path}/out/*/*.csv', hive_partitioning=true)"
    )
    assert found.fetchall() == [(100, 4950, 3, 'say "x", y')]
    assert sorted(read(tmp_path / "out")["i"].to_pylist()) == list(range(100))


def test_a_header_may_be_left_out(tmp_path):
    write(csv_sink(tmp_path / "a.csv", header=False), pa.table({"i": [1, 2]}))
    assert (tmp_path / "a.csv").read_text() == "1\n2\n"
    write(csv_sink(tmp_path / "b.csv"), pa.table({"i": pa.array([], pa.int64())}))
    assert (tmp_path / "b.csv").read_text() == '"i"\n'


def test_what_csv_lacks_is_refused_at_declaration(tmp_path):
    for kind in (pa.list_(pa.int8()), pa.struct([("a", pa.int8())]), pa.binary(), pa.large_binary(), pa.binary(3)):
        with pytest.raises(SchemaMismatch, match="column 'x'"):
            csv_sink(tmp_path / "a.csv").check(pa.schema([("x", kind)]))
    with pytest.raises(PlanError, match="delimiter"):
        csv_sink(tmp_path / "a.csv", delimiter="")
