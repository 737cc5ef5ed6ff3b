"""`.json`: values read from JSON text with orjson, which neither recurses without end nor reads what is no JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa

from brim.operators.expressions.function import HELD_ROWS, Function, Values, each_row, entry
from brim.operators.expressions.functions.strings import TEXT, meet_texts

FUNCTIONS: dict[str, Function] = {}
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]""")


@entry(FUNCTIONS, "json.decode", TEXT, meet_texts)
def decode(text: Values, dtype: pa.DataType, on_error: str = "raise") -> pa.Array:
    """The JSON value as `dtype`: fields that it has not are null, fields that `dtype` has not are left out.

    >>> call("json.decode", ['{"a": 1}', "{"], dtype=pa.struct([("a", pa.int64())]), on_error="null")
    [{'a': 1}, None]
    """
    _check(on_error)
    parts = [_decoded(text.slice(start, HELD_ROWS), dtype, on_error) for start in range(0, len(text), HELD_ROWS)]
    return pa.concat_arrays(parts) if parts else pa.nulls(0, dtype)


def _check(on_error: str) -> None:
    if on_error not in ("raise", "null"):
        raise ValueError(f'on_error is "raise" or "null", not {on_error!r}')


def _decoded(text: pa.Array, dtype: pa.DataType, on_error: str) -> pa.Array:
    """All rows at once; when one of them fails and may be null, row by row."""
    try:
        return pa.array([None if row is None else orjson.loads(row) for row in text.to_pylist()], dtype)
    except (orjson.JSONDecodeError, pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        if on_error == "raise":
            raise ValueError(f"no JSON of type {dtype}: {error}") from error
    return pa.concat_arrays([_decoded_row(row, dtype) for row in text.to_pylist()])


def _decoded_row(row: str | None, dtype: pa.DataType) -> pa.Array:
    try:
        return pa.array([None if row is None else orjson.loads(row)], dtype)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(1, dtype)


@entry(FUNCTIONS, "json.extract", TEXT, meet_texts)
def extract(text: Values, path: str, on_error: str = "raise") -> pa.Array:
    """What is at `path`, such as "$.a.b[0]", as text: a string as it is, else as JSON; null where there is nothing.

    >>> call("json.extract", ['{"a": [{"b": "x"}, 2]}', "{}"], path="$.a[0].b")
    ['x', None]
    """
    _check(on_error)
    return each_row(_reader(_steps(path), on_error), text, pa.string())


def _steps(path: str) -> list[str | int]:
    rest = path.removeprefix("$")
    rest = rest if rest.startswith((".", "[")) or not rest else f".{rest}"
    found = list(_STEP.finditer(rest))
    if "".join(step[0] for step in found) != rest:
        raise ValueError(f'{path!r} is no path: write "$.name", "$.list[0]" or "$[\'a name\']"')
    return [int(step[2]) if step[2] else step[1] or step[3] or step[4] or "" for step in found]


def _reader(steps: list[str | int], on_error: str) -> Callable[[str], str | None]:
    def read(row: str) -> str | None:
        try:
            return _written(orjson.loads(row), steps)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:  # the second of what is nested too deep
            if on_error == "raise":
                raise ValueError(f"no JSON that can be read: {error}") from error
            return None

    return read


def _written(value: Any, steps: list[str | int]) -> str | None:
    for step in steps:
        value = _below(value, step)
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None
