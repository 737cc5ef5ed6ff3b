"""Long lines of JSON: texts that are never Python's, equal to what a JSON parser makes of them."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, run_operator

from brim.errors import CorruptInput
from brim.events import RowsFailed
from brim.io.json.long_lines import long_text, shorten
from brim.io.json.read_json import json_source
from brim.sizes import KIB, MIB


def table_of(source, **options) -> pa.Table:
    return run_operator(source.operator(), stage=FakeStage(**options)).table()


@given(
    st.lists(
        st.tuples(st.sampled_from(['"', "\\", "中", "😀", "é", "a", "\n", "\\u", "x\\\\"]), st.integers(1, 400)),
        min_size=1,
        max_size=60,
    ),
    st.booleans(),
    st.integers(13, 300),
)
@settings(deadline=None, max_examples=200)
def test_a_text_is_what_a_parser_makes_of_it_wherever_it_is_cut(parts, ascii_only, part_bytes):
    text = "".join(piece * times for piece, times in parts)
    line = json.dumps(text, ensure_ascii=ascii_only).encode()
    found = long_text(memoryview(line)[1:-1], pa.string(), "a.jsonl", 1, part_bytes=part_bytes)
    assert found.to_pylist() == [text]


def test_long_texts_are_cut_out_of_a_line_and_others_are_not():
    line = json.dumps({"a@": "@" * 70_000, "b": ["y" * 70_000, "short"], "c": "z" * 100}).encode()
    short = shorten(line)
    (first, second) = short.texts
    assert json.loads(short.line) == {"a@": first, "b": [second, "short"], "c": "z" * 100}
    assert [bytes(text[:1]) for text in short.texts.values()] == [b"@", b"y"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_row_with_long_texts_is_whole(tmp_path, kind):
    rows = [
        {"n": 1, "s": "short", "t": None},
        {"n": 2, "s": "long 😀 \n" * 200_000, "t": "plain " * 100_000},
        {"n": 3, "s": "x" * 700 * KIB},
        {"n": 4, "s": "end"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    schema = pa.schema([("n", pa.int64()), ("s", kind), ("t", pa.string())])
    for source in (json_source(path), json_source(path, schema=schema)):
        assert table_of(source).to_pylist() == [{"t": None, **row} for row in rows]
    assert table_of(json_source(path, columns=["n"]))["n"].to_pylist() == [1, 2, 3, 4]


def test_long_lists_are_read_on_a_larger_loan(tmp_path):
    row = {"l": list(range(200_000)), "s": ["x" * 100_000]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    memory = FakeMemory(window_bytes=0)
    assert table_of(json_source(tmp_path), memory=memory).to_pylist() == [row]
    size = (tmp_path / "a.jsonl").stat().st_size
    assert memory.peak >= 12 * (size - 1)


def test_what_is_wrong_in_a_long_text_is_told_with_its_line(tmp_path):
    for bad, reason in ((b"\xff", "invalid UTF-8"), (b"\\x", "in a long text"), (b"\x01", "control character")):
        body = b'{"s": "good"}\n{"s": "' + b"x" * MIB + bad + b'"}\n{"s": "end"}\n'
        (tmp_path / "a.jsonl").write_bytes(body)
        schema = pa.schema([("s", pa.string())])
        with pytest.raises(BaseException) as failed:
            table_of(json_source(tmp_path, schema=schema))
        assert failed.group_contains(CorruptInput, match=f"line 2.*{reason}")
        stage = FakeStage()
        source = json_source(tmp_path, schema=schema, on_error="skip")
        assert run_operator(source.operator(), stage=stage).table()["s"].to_pylist() == ["good", "end"]
        (fact,) = stage.facts
        assert isinstance(fact, RowsFailed)


def test_a_long_text_in_a_column_of_numbers_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"n": "x" * MIB}) + "\n")
    with pytest.raises(BaseException) as failed:
        table_of(json_source(tmp_path, schema=pa.schema([("n", pa.int64())])))
    assert failed.group_contains(CorruptInput, match="line 1.*column 'n': expected int64, found string")
