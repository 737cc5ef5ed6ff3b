"""Text, lists of files, and files written from rows."""

from __future__ import annotations

import datetime as dt
import os
import pickle

import pyarrow as pa
import pytest
from kit import FakeStage, run_operator

from brim.errors import CorruptInput, LimitExceeded, ObjectMissing, PlanError, SchemaMismatch, UnknownColumn
from brim.io.csv.read_csv import csv_source
from brim.io.csv.write_csv import csv_sink
from brim.io.json.read_json import json_source
from brim.io.json.write_json import json_sink
from brim.io.list_files import files_source
from brim.io.parquet.write_parquet import parquet_sink
from brim.io.read_text import text_source
from brim.io.write_arrow import arrow_sink
from brim.io.write_files import files_sink
from brim.sizes import KIB, MIB, held_bytes


def rows_of(source, **options) -> list:
    try:
        batches = run_operator(source.operator(), stage=FakeStage(**options)).batches
    except ExceptionGroup as group:
        (error,) = group.exceptions
        raise error from None
    return pa.Table.from_batches(batches, schema=source.schema).to_pylist()


def test_a_row_is_a_line_without_its_end(tmp_path):
    (tmp_path / "a.txt").write_bytes("one\r\n\ntwo é\nlast".encode())
    (tmp_path / "b.log").write_bytes(b"next\n")
    (tmp_path / "c.jpg").write_bytes(b"\xff")
    assert [row["text"] for row in rows_of(text_source(tmp_path))] == ["one", "", "two é", "last", "next"]
    lines = [f"line {i}" for i in range(50_000)]
    (tmp_path / "d.txt").write_text("\n".join(lines))
    batches = run_operator(text_source(tmp_path / "d.txt").operator(), stage=FakeStage(batch_bytes=64 * KIB)).batches
    assert pa.Table.from_batches(batches)["text"].to_pylist() == lines
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB


def test_encodings_are_checked(tmp_path):
    (tmp_path / "a.txt").write_bytes("café\nbar\n".encode("latin-1"))
    assert [row["text"] for row in rows_of(text_source(tmp_path, encoding="latin-1"))] == ["café", "bar"]
    with pytest.raises(CorruptInput, match="line 1: this is not utf-8"):
        rows_of(text_source(tmp_path))
    stage = FakeStage()
    out = run_operator(text_source(tmp_path, on_error="skip").operator(), stage=stage)
    assert out.table()["text"].to_pylist() == ["bar"]
    assert [fact.rows for fact in stage.facts] == [1]
    with pytest.raises(PlanError, match="klingon"):
        text_source(tmp_path, encoding="klingon")
    with pytest.raises(PlanError, match="whole_files"):
        text_source(tmp_path, encoding="utf-16")


def test_a_row_may_be_a_whole_file(tmp_path):
    (tmp_path / "a.txt").write_bytes("x\ny".encode("utf-16"))
    (tmp_path / "b.txt").write_bytes(b"")
    rows = rows_of(text_source(tmp_path, encoding="utf-16", whole_files=True))
    assert rows == [{"path": str(tmp_path / "a.txt"), "text": "x\ny"}, {"path": str(tmp_path / "b.txt"), "text": ""}]
    os.truncate(tmp_path / "b.txt", 129 * MIB)
    with pytest.raises(LimitExceeded, match="size of a text"):
        rows_of(text_source(tmp_path / "b.txt", whole_files=True))


def test_files_are_listed_with_size_and_time(tmp_path):
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "_hidden").mkdir()
    for name, size in (("a.bin", 3), ("b/deep/c", 0), (".x", 1), ("_hidden/y", 1)):
        (tmp_path / name).write_bytes(b"." * size)
    os.utime(tmp_path / "a.bin", (1_000_000, 1_000_000.5))
    rows = rows_of(files_source(tmp_path))
    assert [(row["path"], row["size"]) for row in rows] == [(f"{tmp_path}/a.bin", 3), (f"{tmp_path}/b/deep/c", 0)]
    assert rows[0]["modified"] == dt.datetime.fromtimestamp(1_000_000.5, dt.UTC)
    assert [row["size"] for row in rows_of(files_source(f"{tmp_path}/**/c").with_columns(("size",)))] == [0]
    assert len(rows_of(files_source([tmp_path / "a.bin", tmp_path]))) == 3
    with pytest.raises(ObjectMissing, match="nowhere"):
        files_source(tmp_path / "nowhere")
    with pytest.raises(PlanError, match="no file matches"):
        files_source(f"{tmp_path}/*.jpg")
    with pytest.raises(PlanError, match="ftp://"):
        files_source("ftp://host/a")


def write(folder, names, data, mode="create"):
    table = pa.table({"n": pa.array(names, pa.string()), "d": pa.array(data)})
    sink = files_sink(folder, name="n", data="d", mode=mode)
    sink.check(table.schema)
    out = run_operator(sink.operator(table.schema), table.to_batches(max_chunksize=2))
    return [row for batch in out.batches for row in batch.to_pylist()]


def test_each_row_is_a_file(tmp_path):
    rows = write(tmp_path / "out", ["a.bin", "b/c.bin", "none"], [b"abc", b"", None])
    assert rows == [
        {"path": f"{tmp_path}/out/a.bin", "rows": 1, "bytes": 3},
        {"path": f"{tmp_path}/out/b/c.bin", "rows": 1, "bytes": 0},
    ]
    assert (tmp_path / "out" / "a.bin").read_bytes() == b"abc"
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    with pytest.raises(PlanError, match="exists"):
        write(tmp_path / "out", ["d"], ["text"])
    write(tmp_path / "out", ["d"], ["text"], mode="append")
    assert (tmp_path / "out" / "d").read_text() == "text"
    write(tmp_path / "out", ["e"], ["x"], mode="overwrite")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["e"]


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "", None, ".", ".hidden", "a//b", "a\\b", "a\0b", "x" * 300]
)
def test_no_name_leaves_the_folder(tmp_path, name):
    with pytest.raises(CorruptInput, match="row 1"):
        write(tmp_path / "out", ["fine", name], [b"1", b"2"])
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_comes_twice_or_a_wrong_column_is_refused(tmp_path):
    with pytest.raises(CorruptInput, match="comes twice"):
        write(tmp_path / "out", ["a", "b", "a"], [b"1", b"2", b"3"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SchemaMismatch, match="column 'd'"):
        write(tmp_path / "out", ["a"], [1])
    with pytest.raises(UnknownColumn):
        files_sink(tmp_path / "out", name="n", data="x").check(pa.schema([("n", pa.string())]))


def test_sources_and_sinks_pickle(tmp_path):
    for name, text in (("a.csv", "x\n1\n"), ("a.jsonl", '{"x": 1}\n'), ("a.txt", "1\n")):
        (tmp_path / name).write_text(text)
    sources = [
        csv_source(tmp_path / "a.csv"),
        json_source(tmp_path / "a.jsonl"),
        text_source(tmp_path / "a.txt"),
        files_source(tmp_path),
    ]
    for source in sources:
        assert rows_of(pickle.loads(pickle.dumps(source))) == rows_of(source)
    sinks = [
        parquet_sink("a.parquet"),
        csv_sink("a"),
        json_sink("a"),
        arrow_sink("a"),
        files_sink("a", name="n", data="d"),
    ]
    for sink in sinks:
        again = pickle.loads(pickle.dumps(sink))
        assert again == sink
        assert pickle.loads(pickle.dumps(sink.operator(pa.schema([])))) == sink.operator(pa.schema([]))
