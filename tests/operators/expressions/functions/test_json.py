"""`.json` on text that nobody vouches for."""

from __future__ import annotations

import pyarrow as pa
import pytest

from brim.errors import ExpressionFailed
from brim.operators.expressions.evaluate import evaluate
from brim.pipeline.expr import col

HOSTILE = {
    "cut short": '{"a": ',
    "too deep": "[" * 100_000,
    "nested as deep as can be read": '{"a": ' + "[" * 1000 + "]" * 1000 + "}",
    "NaN": '{"a": NaN}',
    "two values": "1 2",
    "half a surrogate": r'{"a": "\ud800"}',
    "empty": "",
    "a key of another type": '{"a": "seven"}',
    "an integer beyond int64": '{"a": 99999999999999999999}',
}
SHAPE = pa.struct([("a", pa.int64())])


def column(*rows):
    return pa.record_batch({"j": pa.array(rows, pa.string())})


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_decoded_is_an_error_or_null_and_costs_no_other_row(text):
    batch = column('{"a": 1}', text, None, '{"b": 2}')
    with pytest.raises(ExpressionFailed):
        evaluate(col("j").json.decode(SHAPE).tree, batch)
    lenient = evaluate(col("j").json.decode(SHAPE, on_error="null").tree, batch)
    assert lenient.to_pylist() == [{"a": 1}, None, None, {"a": None}]


@pytest.mark.parametrize("text", [HOSTILE[name] for name in list(HOSTILE)[:7]], ids=list(HOSTILE)[:7])
def test_what_cannot_be_read_or_written_is_an_error_or_null_when_extracted(text):
    batch = column('{"a": 1}', text)
    with pytest.raises(ExpressionFailed):
        evaluate(col("j").json.extract("$.a").tree, batch)
    assert evaluate(col("j").json.extract("$.a", on_error="null").tree, batch).to_pylist() == ["1", None]


def test_paths_go_through_objects_and_lists():
    batch = column('{"a": {"b c": [1, {"d": "x"}]}}')
    paths = {"$.a['b c'][1].d": "x", 'a["b c"][0]': "1", "$.a": '{"b c":[1,{"d":"x"}]}', "$.a[0]": None, "$[3]": None}
    assert {path: evaluate(col("j").json.extract(path).tree, batch)[0].as_py() for path in paths} == paths


def test_nested_values_are_decoded_as_declared():
    shape = pa.struct([("tags", pa.list_(pa.string())), ("at", pa.struct([("x", pa.float32())]))])
    batch = column('{"tags": ["a", null], "at": {"x": 1, "y": 2}}', '{"tags": null}', "null")
    assert evaluate(col("j").json.decode(shape).tree, batch).to_pylist() == [
        {"tags": ["a", None], "at": {"x": 1.0}},
        {"tags": None, "at": None},
        None,
    ]
