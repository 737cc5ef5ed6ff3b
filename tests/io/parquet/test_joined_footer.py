"""Row groups that were encoded apart are, byte by byte, the file that pyarrow makes of them one after another."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.io.parquet.joined_footer import MAGIC, JoinedFooter
from brim.io.parquet.row_group import RowGroup
from brim.io.parquet.thrift_tree import read_struct, write_struct

TABLE = pa.table(
    {
        "id": pa.array(range(1000)),
        "name": [None if i % 7 == 0 else f"name {i % 50}" for i in range(1000)],
        "flag": [i % 2 == 0 for i in range(1000)],
        "small": pa.array([i % 100 for i in range(1000)], pa.int8()),
        "part": pa.array([i / 3 for i in range(1000)], pa.float32()),
        "list": [[i, None][: i % 3] for i in range(1000)],
        "struct": [{"x": i, "y": [str(i)]} for i in range(1000)],
        "date": pa.array(range(1000), pa.date32()),
        "decimal": pa.array([None] * 1000, pa.decimal128(20, 3)),
    },
    metadata={"who": "them"},
)


def joined(groups, **options):
    made, footer = bytearray(MAGIC), JoinedFooter()
    for number, table in enumerate(groups):
        group = RowGroup(table.schema, table.to_batches(), options)
        if number % 2:
            group.encode()  # the others are encoded as they are written
        place = len(made)
        footer.add(group.write(made.extend), place)
    return bytes(made + footer.ending())


def by_pyarrow(groups, **options):
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, groups[0].schema, **options) as writer:
        for table in groups:
            writer.write_table(table, row_group_size=max(1, len(table)))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zstd", "use_dictionary": ["name"]}, {"write_statistics": False, "data_page_size": 200}],
    ids=str,
)
@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 999), unique=True, max_size=20))
def test_it_is_the_file_that_pyarrow_makes(options, cuts):
    bounds = [0, *sorted(cuts), 1000]
    groups = [TABLE.slice(start, stop - start) for start, stop in pairwise(bounds)]
    made = joined(groups, **options)
    assert made == by_pyarrow(groups, **options)
    assert pq.read_table(pa.BufferReader(made)).equals(TABLE)


def test_others_read_it(tmp_path):
    place = tmp_path / "a.parquet"
    place.write_bytes(joined([TABLE.slice(start, 90) for start in range(0, 1000, 90)], compression="snappy"))
    found = duckdb.sql(f"select sum(id), count(name), sum(struct.x) from '{place}' where id >= 450").fetchall()
    rows = TABLE.slice(450)
    assert found == [(sum(range(450, 1000)), 550 - rows["name"].null_count, sum(range(450, 1000)))]


def test_more_groups_than_a_number_of_16_bits_counts_are_one_file():
    groups = [pa.table({"x": pa.array([number], pa.int16())}) for number in range(-20, 20)]
    encoded = [RowGroup(table.schema, table.to_batches(), {}) for table in groups]
    made, footer = bytearray(MAGIC), JoinedFooter()
    pieces = [[], []]
    footers = [encoded[side].write(pieces[side].append) for side in (0, 1)]
    for number in range(33_000):
        place = len(made)
        made += b"".join(pieces[number % 2])
        footer.add(footers[number % 2], place)
    found = pq.ParquetFile(pa.BufferReader(bytes(made + footer.ending())))
    assert found.metadata.num_row_groups == found.metadata.num_rows == 33_000
    assert found.read_row_group(32_999)["x"].to_pylist() == [-19]


@given(number=st.integers(-(2**63), 2**63 - 1), text=st.binary(max_size=300))
def test_a_tree_is_written_as_it_was_read(number, text):
    schema = pa.schema([("a", pa.int64())], metadata={"k": text, "n": str(number)})
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema) as writer:
        writer.write_table(pa.table({"a": [number]}, schema=schema))
    data = sink.getvalue().to_pybytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    assert write_struct(read_struct(footer)) == footer


def test_a_kind_that_parquet_does_not_have_is_refused():
    with pytest.raises(ValueError, match="kind 13"):
        read_struct(bytes([0x1D, 0]))
