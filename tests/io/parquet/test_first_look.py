"""What a first look at Parquet files says."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brim.io.files.paths import find_files
from brim.io.parquet.first_look import LOOKED_AT, NAME, first_look


def look(folder, count, *, rows=1000, on_error="raise"):
    table = pa.table({"id": range(rows), "name": ["x" * 20] * rows})
    for number in range(count):
        pq.write_table(table, folder / f"{number:02}.parquet", use_dictionary=False)
    return first_look(tuple(find_files(folder, NAME, (".parquet",))), on_error), table


def test_rows_and_bytes_of_all_files_are_known_where_they_are_few(tmp_path):
    looked, table = look(tmp_path, 3)
    assert looked.rows == 3000
    assert looked.decoded_bytes == pytest.approx(3 * table.nbytes, rel=0.15)
    assert dict(looked.pages).keys() == {"id", "name"}


def test_where_they_are_many_only_the_first_is_looked_at(tmp_path):
    looked, table = look(tmp_path, LOOKED_AT + 1)
    assert (looked.rows, looked.decoded_bytes) == (None, None)
    assert looked.schema.names == table.schema.names


def test_of_files_without_rows_nothing_is_decoded(tmp_path):
    looked, _ = look(tmp_path, 2, rows=0)
    assert (looked.rows, looked.decoded_bytes) == (0, 0)


def test_a_broken_file_leaves_it_open_how_much_there_is(tmp_path):
    (tmp_path / "99.parquet").write_bytes(b"nothing")
    looked, _ = look(tmp_path, 2, on_error="skip")
    assert (looked.rows, looked.decoded_bytes) == (None, None)
