"""The functions a pipeline begins with: what they take, what they refuse, and what is read of it."""

from __future__ import annotations

import inspect

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import brim
from brim import col
from brim.pipeline import sources

TABLE = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"]})


def test_every_source_is_public_and_described():
    for name, function in inspect.getmembers(sources, inspect.isfunction):
        if function.__module__ == sources.__name__ and not name.startswith("_"):
            assert getattr(brim, name) is function
            assert function.__doc__


@pytest.fixture
def files(tmp_path):
    made = brim.from_arrow(TABLE)
    made.write_parquet(tmp_path / "t.parquet").run_blocking(memory="64MiB")
    made.write_csv(tmp_path / "t.csv").run_blocking(memory="64MiB")
    made.write_json(tmp_path / "t.jsonl").run_blocking(memory="64MiB")
    made.write_arrow(tmp_path / "t.arrow").run_blocking(memory="64MiB")
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    return tmp_path


READERS = {
    "t.parquet": brim.read_parquet,
    "t.csv": brim.read_csv,
    "t.jsonl": brim.read_json,
    "t.arrow": brim.read_arrow,
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_a_path_a_list_a_glob_and_columns(files, name):
    read, path = READERS[name], files / name
    whole = TABLE.to_pydict()
    assert read(path).to_pydict() == whole
    assert read(str(path)).to_pydict() == whole
    assert read([path, path]).count_rows() == 6
    assert read(str(path).replace("t.", "?.")).to_pydict() == whole
    chosen = read(path, columns=["name", "id"])
    assert chosen.columns == ["name", "id"]
    assert chosen.to_pydict() == {"name": whole["name"], "id": whole["id"]}
    assert read(path).node.id == f"{read.__name__}-1"


@pytest.mark.parametrize("name", READERS)
def test_a_reader_says_at_once_what_is_not_there(files, name):
    read = READERS[name]
    with pytest.raises(brim.UnknownColumn, match="did you mean 'name'"):
        read(files / name, columns=["nome"])
    with pytest.raises((brim.PlanError, brim.ObjectMissing, FileNotFoundError), match="missing"):
        read(files / "missing" / name)


def test_a_reader_with_a_schema_opens_nothing_now(tmp_path):
    pipeline = brim.read_parquet(tmp_path / "later.parquet", schema=TABLE.schema).select("id")
    pq.write_table(TABLE, tmp_path / "later.parquet")
    assert pipeline.to_pydict() == {"id": [1, 2, 3]}


def test_files_that_cannot_be_read_are_skipped_and_counted_where_that_is_asked(files):
    (files / "broken.parquet").write_bytes(b"PAR1 is all it has of one")
    paths = [files / "t.parquet", files / "broken.parquet"]
    report = brim.read_parquet(paths, schema=TABLE.schema, on_error="skip").run_blocking(memory="64MiB")
    assert report.rows == 3
    assert any("broken.parquet" in text for text in report.errors)
    with pytest.raises(brim.StageFailed, match=r"broken\.parquet") as failed:
        brim.read_parquet(paths, schema=TABLE.schema).run_blocking(memory="64MiB")
    assert isinstance(failed.value.__cause__, brim.CorruptInput)


def test_text_is_lines_and_files_are_their_names_and_sizes(files):
    assert brim.read_text(files / "t.txt").to_pydict() == {"text": ["one", "two"]}
    listed = brim.read_files(files / "*.txt").to_pydict()
    assert listed["size"] == [8]
    assert listed["path"][0].endswith("t.txt")
    assert set(listed) == {"path", "size", "modified"}


class Stream:
    """Anything with an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema=None):
        return TABLE.__arrow_c_stream__(requested_schema)


MEMORY = {
    "a table": lambda: brim.from_arrow(TABLE),
    "a batch": lambda: brim.from_arrow(TABLE.to_batches()[0]),
    "a reader": lambda: brim.from_arrow(TABLE.to_reader()),
    "a stream": lambda: brim.from_arrow(Stream()),
    "columns": lambda: brim.from_pydict(TABLE.to_pydict()),
    "rows": lambda: brim.from_pylist(TABLE.to_pylist()),
    "a frame": lambda: brim.from_pandas(pd.DataFrame({"id": [1, 2, 3], "name": ["a", None, "c"]})),
    "a list of batches": lambda: brim.from_batches(TABLE.to_batches(max_chunksize=1), TABLE.schema),
    "an iterator": lambda: brim.from_batches(iter(TABLE.to_batches()), TABLE.schema),
    "a function": lambda: brim.from_batches(TABLE.to_batches, TABLE.schema),
    "tables": lambda: brim.from_batches([TABLE], TABLE.schema),
}


@pytest.mark.parametrize("name", MEMORY)
def test_what_is_in_memory_is_a_source(name):
    pipeline = MEMORY[name]()
    assert pipeline.columns == ["id", "name"]
    assert pipeline.filter(col("id") > 1).to_pydict() == {"id": [2, 3], "name": [None, "c"]}


REFUSED = {
    "from_arrow of a number": lambda: brim.from_arrow(5),
    "from_pydict of columns that differ": lambda: brim.from_pydict({"a": [1, 2], "b": [1]}),
    "from_pydict of mixed types": lambda: brim.from_pydict({"a": [1, "x"]}),
    "from_pylist that does not fit": lambda: brim.from_pylist([{"a": "x"}], pa.schema({"a": pa.int64()})),
    "from_pandas of a list": lambda: brim.from_pandas([1]),
    "from_batches of a table": lambda: brim.from_batches(TABLE, TABLE.schema),
    "from_batches of a number": lambda: brim.from_batches(5, TABLE.schema),
    "range of text": lambda: brim.range("x"),
    "range without a step": lambda: brim.range(0, 5, 0),
    "a column twice": lambda: brim.from_arrow(pa.table([[1], [2]], names=["a", "a"])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_a_source_is_refused_at_once(name):
    with pytest.raises(brim.PlanError):
        REFUSED[name]()


@pytest.mark.parametrize("arguments", [(5,), (2, 9), (0, 10, 3), (10, 0, -3), (0,), (5, 5)])
def test_a_range_is_pythons(arguments):
    assert brim.range(*arguments).to_pydict() == {"id": list(range(*arguments))}
